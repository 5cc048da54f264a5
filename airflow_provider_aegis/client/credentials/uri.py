"""Credentials from a service at a URI that the user configures."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_aegis.client.credentials.base import Clock, Fetched, credentials_from, request, secrets_of
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.commands import Flow
from airflow_provider_aegis.client.protocol.endpoints import is_loopback
from airflow_provider_aegis.client.protocol.secret import Secret

ACTION = "credentials_uri"


@dataclass(frozen=True, slots=True)
class CredentialsUri:
    """Credentials from a URI.

    :param uri: as :func:`check_uri` returns it.
    """

    uri: str = field(repr=False)

    @property
    def account(self) -> str:
        """The URI."""
        return f"credentials_uri {self.uri}"

    def fetch(self, clock: Clock) -> Flow[Fetched]:  # noqa: ARG002  (the request is not dated)
        """Fetch the credentials, never through a proxy."""
        reply = yield request(self.uri, direct=True)
        return credentials_from(reply, ACTION, self._secrets())

    def _secrets(self) -> tuple[Secret, ...]:
        return secrets_of(None, *(value for _, value in parse_qsl(urlsplit(self.uri).query)))


def check_uri(text: str, *, named: str, hosts: tuple[str, ...] | None = None) -> str:
    """Check the URI of a credential service and return it.

    :param named: the name of the setting in error texts.
    :param hosts: host names that are allowed besides this machine's own; ``None`` for any.
    :raises ConfigurationError: if it is malformed, or its host is not allowed.
    """
    problem = f"{named} must be an address as http://127.0.0.1:8080/path, without user and fragment."
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ConfigurationError(problem) from None
    name = (parts.hostname or "").lower()
    odd = not text.isascii() or not text.isprintable() or " " in text or "\\" in text
    if parts.scheme not in ("http", "https") or not name or odd or "@" in parts.netloc or parts.fragment:
        raise ConfigurationError(problem)
    if not (hosts is None or _is_near(name) or name in hosts):
        raise ConfigurationError(
            f"{named} must lead to this machine (loopback or link-local) or to the connection's host."
        )
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


def _is_near(name: str) -> bool:
    try:
        return is_loopback(name) or ipaddress.ip_address(name).is_link_local
    except ValueError:
        return False
