"""Where keys come from, and when they are fetched afresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.signing import Credentials


class CredentialsProvider(Protocol):
    """Hands out the keys that the next request is signed with."""

    @property
    def blocks(self) -> bool:
        """Whether ``get`` may wait for something, so that an event loop must not call it itself."""
        ...

    def get(self, *, refresh: bool = False) -> Credentials:
        """Return the keys.

        :param refresh: the service said that the last ones have expired.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Keys that are written in the connection.

    :raises ConfigurationError: on ``get``, if one is empty.
    """

    credentials: Credentials
    blocks: ClassVar[bool] = False

    def get(self, *, refresh: bool = False) -> Credentials:  # noqa: ARG002  (there is nowhere to fetch others from)
        """Return the keys as they are."""
        keys = self.credentials
        for name, value in (
            ("login (AccessKey ID)", keys.access_key_id),
            ("password (AccessKey secret)", keys.access_key_secret),
            ("extra 'security_token'", keys.security_token or "none"),
        ):
            if not value.strip():
                raise ConfigurationError(f"The connection's {name} is empty.")
            if value != value.strip() or not value.isascii() or not value.isprintable():
                raise ConfigurationError(f"The connection's {name} has white space around it or odd characters in it.")
        return self.credentials
