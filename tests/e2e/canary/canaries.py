"""The secrets that are written somewhere before Airflow starts, and the connections that have them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_aegis.client.protocol.endpoints import CHINA
from airflow_provider_aegis.emulator import Emulator, Key
from tests.fakes import revealed
from tests.unit.client.credentials_services import BASE, OIDC, OIDC_TOKEN, ROLE, CredentialsServices


def canary(what: str) -> str:
    """Make a secret that is like no other text."""
    return f"canary-{what}/{secrets.token_hex(12)}+="


@dataclass
class Canaries:
    """The secrets, and with ``external_id`` and ``uri`` two texts that are confidential."""

    access_key: str = field(default_factory=lambda: canary("secret"))
    sts: str = field(default_factory=lambda: canary("sts"))
    token: str = field(default_factory=lambda: canary("token"))
    chain: str = field(default_factory=lambda: canary("chain"))
    wrong: str = field(default_factory=lambda: canary("wrong"))
    wrong_token: str = field(default_factory=lambda: canary("wrong-token"))
    wrong_oidc: str = field(default_factory=lambda: canary("wrong-oidc"))
    external_id: str = field(default_factory=lambda: canary("external-id"))
    uri: str = field(default_factory=lambda: canary("uri"))
    proxy: str = field(default_factory=lambda: canary("proxy"))

    @property
    def confidential(self) -> set[str]:
        """What is not for logs, though Airflow shows it to who may read connections."""
        return {self.external_id, self.uri}

    def keys(self) -> dict[str, Key]:
        """What the emulator knows of them."""
        return {
            "key-access": Key(self.access_key),
            "key-sts": Key(self.sts, token=self.token),
            "key-chain": Key(self.chain),
        }

    def connections(
        self, sas: Emulator, services: CredentialsServices, folder: Path, *, echo: int
    ) -> dict[str, dict[str, Any]]:
        """Describe a connection of each kind, good and bad.

        :param folder: where tokens are in files.
        :param echo: port of an endpoint that repeats what it is sent.
        """
        for name, token in (("oidc", OIDC_TOKEN), ("wrong-oidc", self.wrong_oidc)):
            (folder / name).write_text(token)
        access, sts = ("key-access", self.access_key), ("key-sts", self.sts)
        base, nobody = revealed(BASE)[:2], ("", "")
        role = {"auth_type": "ram_role_arn", "role_arn": ROLE, "external_id": self.external_id}
        oidc = {"auth_type": "oidc_role_arn", "role_arn": ROLE, "oidc_provider_arn": OIDC}
        uri = {"auth_type": "credentials_uri", "credentials_uri": f"{services.uri}&key={self.uri}"}
        described: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
            "access_key": (access, {}),
            "sts": (sts, {"security_token": self.token}),
            "ram_role_arn": (base, role),
            "oidc_role_arn": (nobody, {**oidc, "oidc_token_file": str(folder / "oidc")}),
            "ecs_ram_role": (nobody, {"auth_type": "ecs_ram_role"}),
            "credentials_uri": (nobody, uri),
            "default": (nobody, {"auth_type": "default"}),
            "echo": (sts, {"security_token": self.token}),
            "proxied": (sts, {"security_token": self.token}),
            "misspelt": (sts, {"security_token": self.token, "regoin": "cn-shanghai"}),
            "wrong_secret": (("key-access", self.wrong), {}),
            "wrong_token": (sts, {"security_token": self.wrong_token}),
            "wrong_base": ((BASE.access_key_id, self.wrong), role),
            "no_token_file": (nobody, {**oidc, "oidc_token_file": str(folder / "none")}),
            "wrong_oidc_token": (nobody, {**oidc, "oidc_token_file": str(folder / "wrong-oidc")}),
            "nonsense_metadata": (nobody, {"auth_type": "ecs_ram_role", "role_name": "nonsense"}),
            "nonsense_uri": (nobody, {**uri, "credentials_uri": uri["credentials_uri"].replace("/keys", "/nonsense")}),
        }
        elsewhere = {"echo": ("http://127.0.0.1", echo), "proxied": (CHINA, None)}
        return {
            name: {
                "connection_id": name,
                "conn_type": "aegis",
                **dict(zip(("host", "port"), elsewhere.get(name, ("http://127.0.0.1", sas.port)), strict=True)),
                "login": login or None,
                "password": password or None,
                "extra": json.dumps({"region": "cn-shanghai", "max_requests_per_second": 100, **extra}),
            }
            for name, ((login, password), extra) in described.items()
        }
