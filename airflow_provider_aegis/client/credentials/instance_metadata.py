"""Credentials of the role that is attached to the machine, from the metadata service of an ECS instance."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_aegis.client.credentials.base import (
    Clock,
    Fetched,
    credentials_from,
    emulator,
    request,
    text_from,
)
from airflow_provider_aegis.client.errors import AuthenticationError, ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.commands import Flow, Mask, Reply, Send
from airflow_provider_aegis.client.protocol.secret import Secret

ADDRESS = "http://100.100.100.200/"
ACTION = "instance metadata"
# The service is on the host of the instance: if it does not answer at once, there is none.
READ_TIMEOUT = 1.0
TOKEN_SECONDS = 21600
ROLE_NAME = re.compile(r"[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class InstanceMetadata:
    """The credentials of the instance's role.

    :param role_name: if it is empty, the metadata service names the role.
    """

    role_name: str | None = None

    @property
    def account(self) -> str:
        """The role, if its name is known."""
        return f"ecs_ram_role {self.role_name or ''}".rstrip()

    def fetch(self, clock: Clock) -> Flow[Fetched]:  # noqa: ARG002  (the request is not dated)
        """Fetch a token, and with it the credentials.

        :raises ConfigurationError: if the environment forbids it.
        """
        if is_disabled():
            raise ConfigurationError("ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids the use of the instance metadata.")
        return (yield from self.fetch_with((yield token_request())))

    def fetch_with(self, token: Reply) -> Flow[Fetched]:
        """Fetch the credentials.

        :param token: the reply to :func:`token_request`.
        """
        secrets = _token(token)
        yield Mask(secrets)
        role = self.role_name or os.environ.get("ALIBABA_CLOUD_ECS_METADATA")
        if not role:
            role = text_from((yield _ask("", secrets)), ACTION)
        if not ROLE_NAME.fullmatch(role):
            raise AuthenticationError("the name of the machine's role has odd characters in it", action=ACTION)
        return credentials_from((yield _ask(role, secrets)), ACTION, secrets)


def is_disabled() -> bool:
    """Tell whether the environment forbids the use of the metadata service."""
    return os.environ.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() == "true"


def token_request() -> Send:
    """Return the request for the token that every other request needs."""
    seconds = {"x-aliyun-ecs-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
    return request(f"{emulator() or ADDRESS}latest/api/token", method="PUT", seconds=READ_TIMEOUT, headers=seconds)


def _token(reply: Reply) -> tuple[Secret, ...]:
    """Return the token, or ``None`` if the environment allows requests without one."""
    try:
        return (Secret(text_from(reply, ACTION)),)
    except SecurityCenterError:
        if os.environ.get("ALIBABA_CLOUD_IMDSV1_DISABLED", "").lower() == "false":
            return ()
        raise


def _ask(role: str, token: Sequence[Secret]) -> Send:
    url = f"{emulator() or ADDRESS}latest/meta-data/ram/security-credentials/{role}"
    headers = [("x-aliyun-ecs-metadata-token", text.reveal()) for text in token]
    return request(url, seconds=READ_TIMEOUT, headers=dict(headers))
