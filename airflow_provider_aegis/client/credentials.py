"""Where keys come from: what every source of keys offers, and keys that never change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.secret import Secret
from airflow_provider_aegis.client.signing import Credentials


class CredentialsProvider(Protocol):
    """Hands out the keys that the next request is signed with."""

    @property
    def blocks(self) -> bool:
        """Whether ``get`` may wait for something now, so that an event loop must not call it itself."""
        ...

    @property
    def account(self) -> str:
        """What stays the same when the keys change; everything of one account shares a request budget."""
        ...

    def get(self, *, refused: Credentials | None = None) -> Credentials:
        """Return the keys.

        :param refused: keys of which the service said that they have expired; others are handed out if there are any.
        :raises SecurityCenterError: if the service that hands out keys has none, or does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Keys that are written in the connection.

    :raises ConfigurationError: on ``get``, if one is empty.
    """

    credentials: Credentials
    blocks: ClassVar[bool] = False

    @property
    def account(self) -> str:
        """The AccessKey ID."""
        return self.credentials.access_key_id

    def get(self, *, refused: Credentials | None = None) -> Credentials:  # noqa: ARG002  (there are no others)
        """Return the keys as they are."""
        keys = self.credentials
        for name, value in (
            ("login (AccessKey ID)", keys.access_key_id),
            ("password (AccessKey secret)", keys.access_key_secret),
            ("extra 'security_token'", keys.security_token or "none"),
        ):
            if wrong := what_is_wrong(value):
                raise ConfigurationError(f"The connection's {name} {wrong}.")
        return self.credentials


def what_is_wrong(value: object) -> str:
    """Say why something cannot be a key or a token, without showing it, or nothing."""
    if isinstance(value, Secret):
        return what_is_wrong(value.reveal())
    if not isinstance(value, str):
        return "is no text"
    if not value.strip():
        return "is empty"
    fit = value == value.strip() and value.isascii() and value.isprintable()
    return "" if fit else "has white space around it or odd characters in it"
