"""The boundary that everything passes which comes from outside.

What goes out with a request (the signature, a token, the proxy's password) must not come back in a payload, a log line,
an error, or the local variables of a traceback, though an endpoint, a proxy or a library may repeat it. So a transport
hands on answers that were searched for it, and errors without the frames that they were raised in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.secret import Secret
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.text import masked, without
from airflow_provider_aegis.client.transport.proxy import Proxy

E = TypeVar("E", bound=BaseException)

REQUEST_ID = "x-acs-request-id"
# Tokens that a request has in a header of their own.
TOKENS = ("x-acs-security-token", "x-aliyun-ecs-metadata-token")
# A shorter secret may be a word of a payload, which is to stay as it is.
SHORTEST = 16

_PLAIN = re.compile(r"[A-Za-z0-9]+")


class Boundary:
    """What comes back of one request, without the secrets that it was made with.

    :param headers: the request's headers as they are sent, with names in lower case.
    :param credentials: what it is signed with.
    :param proxy: what it is sent through.
    """

    __slots__ = ("_secrets",)

    def __init__(self, headers: Mapping[str, str], credentials: Credentials | None, proxy: Proxy | None) -> None:
        authorization = headers.get("authorization", "")
        signature = authorization.rpartition("Signature=")[2].removeprefix("Bearer ")
        secrets = [Secret(text) for text in (signature, *map(headers.get, TOKENS)) if text]
        if credentials:
            secrets.append(credentials.access_key_secret)
        if proxy:
            secrets += proxy.secrets
        self._secrets = secrets

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return an answer, with ``***`` where it repeats a secret."""
        request_id = headers.get(REQUEST_ID, "").encode("utf-8", "replace")
        for secret in self._secrets:
            mark = _mark(secret)
            if mark and (mark in body or mark in request_id):
                return self._cleaned(status, headers, body)
        return Answer(status, headers, body)

    def error(self, error: SecurityCenterError) -> SecurityCenterError:
        """Return an error whose text repeats no secret."""
        error.message = without(error.message, self._secrets)
        error.request_id = without(error.request_id, self._secrets)
        error.args = (error.message,)
        return error

    def _cleaned(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        secrets = [secret for secret in self._secrets if _mark(secret)]
        text = masked(body.decode("utf-8", "surrogateescape"), secrets)
        kept = {name.lower(): masked(value, secrets) for name, value in headers.items()}
        return Answer(status, kept, text.encode("utf-8", "surrogateescape"))


@lru_cache(maxsize=256)
def _mark(secret: Secret) -> bytes:
    """Return a part of a secret that stays the same however the secret is encoded, or nothing for a short one."""
    text = secret.reveal()
    return max(_PLAIN.findall(text), key=len, default="").encode() if len(text) >= SHORTEST else b""


def bare(error: E) -> E:
    """Return an error without the frames that it went through, which have the request in their variables."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
