"""Credentials of a role, from STS (2015-04-01): assumed with other credentials, or with an OIDC token."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aegis.client.credentials.base import (
    Clock,
    Fetched,
    Source,
    credentials_from,
    emulator,
    request,
    secrets_of,
    what_is_wrong,
)
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.commands import Content, Flow, Mask, ReadFile, Reply, Send, Signature
from airflow_provider_aegis.client.protocol.endpoints import check_region
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials, canonical_query, flatten, iso_date

VERSION = "2015-04-01"
DEFAULT_SESSION_NAME = "airflow-provider-aegis"
DEFAULT_SESSION_SECONDS = 3600
MAX_TOKEN_BYTES = 16 * 1024
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role to assume.

    :param duration_seconds: lifetime of its credentials.
    :param policy: JSON that narrows what the role may do.
    :param region: region of the STS endpoint; if it is empty, the environment may name it.
    :param vpc: whether to use the endpoint inside a VPC; ``None``: as the environment says.
    """

    role_arn: str
    role_session_name: str = DEFAULT_SESSION_NAME
    duration_seconds: int = DEFAULT_SESSION_SECONDS
    policy: str | None = field(default=None, repr=False)
    region: str | None = None
    vpc: bool | None = None

    @property
    def account(self) -> str:
        """The id of the account that owns the role."""
        return f"account {self.role_arn.split(':')[3]}"

    def _parameters(self, **more: str | Secret | None) -> str:
        """Return the parameters of an action, for a query or a form."""
        known: dict[str, Any] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.role_session_name,
            "DurationSeconds": self.duration_seconds,
            "Policy": self.policy or None,
        }
        encoded = _encode(known | more)
        if isinstance(encoded, ConfigurationError):
            raise encoded
        return encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumeRole(Role):
    """Credentials of a role that is assumed with other credentials.

    :param base: the source of these other credentials.
    """

    base: Source
    external_id: str | None = field(default=None, repr=False)

    def fetch(self, clock: Clock) -> Flow[Fetched]:
        """Call STS as the vendor's own client does: signature version 3, parameters in the query."""
        base = (yield from self.base.fetch(clock)).credentials
        yield Mask(secrets_of(base))
        reply = yield self._request(base, clock)
        return credentials_from(reply, "AssumeRole", secrets_of(base, self.external_id), inside="Credentials")

    def _request(self, base: Credentials, clock: Clock) -> Send:
        signature = Signature("AssumeRole", iso_date(int(clock.time())), uuid.uuid4().hex, base, VERSION)
        query = self._parameters(ExternalId=self.external_id or None)
        return request(f"{endpoint(self.region, self.vpc)}?{query}", method="POST", signature=signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumeRoleWithOIDC(Role):
    """Credentials of a role that is assumed with the token of an OIDC identity provider.

    :param oidc_token_file: path of the file with the token. It is read at every fetch, because it is renewed.
    :param file_named: the name of the setting for this path in error texts.
    """

    oidc_provider_arn: str
    oidc_token_file: str
    file_named: str = "extra 'oidc_token_file'"

    def fetch(self, clock: Clock) -> Flow[Fetched]:
        """Call STS unsigned, with the token in the body, because proxies and servers log queries."""
        token = self._token((yield ReadFile(self.oidc_token_file, MAX_TOKEN_BYTES)))
        if isinstance(token, str):
            raise ConfigurationError(f"{self.file_named} {self.oidc_token_file!r} {token}.")
        yield Mask((token,))
        reply = yield self._request(token, clock)
        return credentials_from(reply, "AssumeRoleWithOIDC", (token,), inside="Credentials")

    @staticmethod
    def _token(read: Reply) -> Secret | str:
        """Return the token, or what is wrong with the file."""
        if isinstance(read, OSError):
            return f"cannot be read: {read.strerror}"
        assert isinstance(read, Content)
        text = read.content.decode("utf-8", "replace").strip()
        if len(read.content) > MAX_TOKEN_BYTES:
            return f"is longer than {MAX_TOKEN_BYTES // 1024} KiB"
        if len(text.splitlines()) > 1:
            return "has more than one line"
        return what_is_wrong(text) or Secret(text)

    def _request(self, token: Secret, clock: Clock) -> Send:
        query = canonical_query(
            {
                "Action": "AssumeRoleWithOIDC",
                "Format": "JSON",
                "Timestamp": iso_date(int(clock.time())),
                "Version": VERSION,
            }
        )
        body = self._parameters(OIDCProviderArn=self.oidc_provider_arn, OIDCToken=token)
        return request(f"{endpoint(self.region, self.vpc)}?{query}", method="POST", headers=FORM, body=body.encode())


def _encode(parameters: Mapping[str, Any]) -> str | ConfigurationError:
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in parameters.items()}
    try:
        return canonical_query(flatten(plain))
    except ConfigurationError as error:
        return ConfigurationError(str(error))  # the traceback of that one has the token in its variables


def endpoint(region: str | None, vpc: bool | None) -> str:
    """Return the address of STS: a host of Alibaba Cloud over TLS, or an emulator on loopback.

    :raises ConfigurationError: if the region is malformed.
    """
    if emulated := emulator():
        return emulated
    region = (region or os.environ.get("ALIBABA_CLOUD_STS_REGION") or "").lower()
    if not region:
        return "https://sts.aliyuncs.com/"
    if vpc is None:
        vpc = os.environ.get("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "").lower() == "true"
    try:
        return f"https://sts{'-vpc' if vpc else ''}.{check_region(region)}.aliyuncs.com/"
    except ConfigurationError as error:
        raise ConfigurationError(f"The region of STS (ALIBABA_CLOUD_STS_REGION) cannot be used: {error}") from None
