"""Sees what the emulator is asked with, and has its errors repeat it, as those of the real service may."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.emulator.http import Received, Request


class Wiretap:
    """Sits before an emulator.

    :ivar authorizations: the Authorization headers that came.
    :ivar refused: the error codes that the keys of these ids get from now on.
    """

    def __init__(self, sas: Emulator) -> None:
        self.authorizations: list[str] = []
        self.refused: dict[str, str] = {}
        self._secrets = {name: key.secret for name, key in sas.keys.items()}
        self._arrive = sas._account.arrive
        sas._account.arrive = self._see  # type: ignore[method-assign]

    def _see(self, request: Request) -> tuple[Received, Fault]:
        line, fault = self._arrive(request)
        authorization = request.headers.get("authorization", "")
        if authorization:
            self.authorizations.append(authorization)
        if code := self.refused.get(line.access_key_id):
            fault = Fault.error(code)
        if fault.kind == "error":
            token = request.headers.get("x-acs-security-token", "")
            encoded = quote(token, safe="")
            fault = replace(
                fault,
                message=f"string to sign is: {self._secrets.get(line.access_key_id, '')} x-acs-security-token:{token} "
                f"{encoded} {quote(encoded)} authorization:{authorization}",
            )
        return line, fault
