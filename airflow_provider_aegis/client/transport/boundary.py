"""The boundary: masks the secrets of a request in everything that comes back.

The signature, a token or the proxy's password must not appear in a payload, a log line, an error, or the local
variables of a traceback, though an endpoint, a proxy or a library may repeat them. So a transport returns answers that
were searched for these secrets, and errors without the frames in which they were raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.flows.commands import Send
from airflow_provider_aegis.client.protocol.redaction import masked, without
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.transport.proxy import Proxy

E = TypeVar("E", bound=BaseException)

REQUEST_ID = "x-acs-request-id"
# Headers of unsigned requests that contain a token.
TOKENS = ("x-aliyun-ecs-metadata-token",)


class Boundary:
    """Removes the secrets of one request from what comes back.

    :param send: the request.
    :param authorization: its Authorization header.
    :param proxy: the proxy that it is sent through.
    """

    __slots__ = ("_authorization", "_proxy", "_send")

    def __init__(self, send: Send, authorization: str, proxy: Proxy | None) -> None:
        self._send = send
        self._authorization = authorization
        self._proxy = proxy

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Response:
        """Return an answer, with ``***`` where it repeats a secret."""
        # Nearly every answer repeats nothing; the check is cheap.
        seen = body + headers.get(REQUEST_ID, "").encode("utf-8", "replace")
        secrets = [secret for secret in self._secrets() if (mark := secret.mark) and mark in seen]
        if secrets:
            body = masked(body.decode("utf-8", "surrogateescape"), secrets).encode("utf-8", "surrogateescape")
            headers = {name.lower(): masked(value, secrets) for name, value in headers.items()}
        return Response(status, headers, body)

    def error(self, error: SecurityCenterError) -> SecurityCenterError:
        """Return an error whose text repeats no secret."""
        error.message = without(error.message, self._secrets())
        error.request_id = without(error.request_id, self._secrets())
        error.args = (error.message,)
        return error

    def _secrets(self) -> list[Secret]:
        send, authorization = self._send, self._authorization
        secrets = [Secret(authorization.rpartition("Signature=")[2].removeprefix("Bearer "))] if authorization else []
        if send.signature:
            credentials = send.signature.credentials
            secrets.append(credentials.access_key_secret)
            if credentials.security_token:
                secrets.append(credentials.security_token)
        if send.headers:
            secrets += (Secret(token) for name in TOKENS if (token := send.headers.get(name)))
        if self._proxy:
            secrets += self._proxy.secrets
        return secrets


def bare(error: E) -> E:
    """Return an error without its traceback, whose frames have the request in their variables."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
