"""Authentication of a connection: a table of the fields that each ``auth_type`` needs, and the checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from airflow_provider_aegis.client.credentials.base import CredentialsProvider, Source, StaticCredentials
from airflow_provider_aegis.client.credentials.default_chain import DefaultChain
from airflow_provider_aegis.client.credentials.instance_metadata import InstanceMetadata
from airflow_provider_aegis.client.credentials.refreshing import shared_credentials
from airflow_provider_aegis.client.credentials.sts import (
    DEFAULT_SESSION_NAME,
    DEFAULT_SESSION_SECONDS,
    AssumeRole,
    AssumeRoleWithOIDC,
)
from airflow_provider_aegis.client.credentials.uri import CredentialsUri, check_uri
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.responses import DECODER
from airflow_provider_aegis.client.protocol.signing import Credentials


@dataclass(frozen=True, slots=True)
class AuthType:
    """Which fields of the connection an ``auth_type`` takes.

    :param needs: fields that must be set.
    :param takes: fields that may be set.
    """

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_ROLE = ("role_session_name", "role_session_expiration", "policy")

AUTH_TYPES: dict[str, AuthType] = {
    "access_key": AuthType(needs=("login", "password")),
    "sts": AuthType(needs=("login", "password", "security_token")),
    "ram_role_arn": AuthType(needs=("role_arn",), takes=("login", "password", *_ROLE, "external_id")),
    "oidc_role_arn": AuthType(needs=("role_arn", "oidc_provider_arn", "oidc_token_file"), takes=_ROLE),
    "ecs_ram_role": AuthType(takes=("role_name",)),
    "credentials_uri": AuthType(needs=("credentials_uri",)),
    "default": AuthType(),
}
# How the connection's form names them.
AUTH_LABELS = {
    "access_key": "AccessKey (access_key)",
    "sts": "STS token (sts)",
    "ram_role_arn": "RAM role (ram_role_arn)",
    "oidc_role_arn": "RAM role by OIDC, as ACK's RRSA (oidc_role_arn)",
    "ecs_ram_role": "Role of the ECS instance (ecs_ram_role)",
    "credentials_uri": "Credentials URI (credentials_uri)",
    "default": "Default credential chain (default)",
}
STATIC = ("access_key", "sts")
AUTH_FIELDS = tuple(dict.fromkeys(name for one in AUTH_TYPES.values() for name in (*one.needs, *one.takes)))

# The form of each field.
FORMS: dict[str, tuple[re.Pattern[str], str]] = {
    "role_arn": (re.compile(r"acs:ram::[0-9]+:role/[^\s]+"), "acs:ram::<account>:role/<name>"),
    "oidc_provider_arn": (
        re.compile(r"acs:ram::[0-9]+:oidc-provider/[^\s]+"),
        "acs:ram::<account>:oidc-provider/<name>",
    ),
    "role_session_name": (re.compile(r"[A-Za-z0-9.@_-]{2,64}"), "2 to 64 letters, digits and . @ - _"),
    "external_id": (re.compile(r"[A-Za-z0-9_=,.@:/+-]{2,1224}"), "2 to 1224 letters, digits and = , . @ : / - + _"),
    "role_name": (re.compile(r"[A-Za-z0-9.-]{1,64}"), "up to 64 letters, digits, points and hyphens"),
}


def credentials_of(values: Mapping[str, Any], *, host: str | None) -> CredentialsProvider:
    """Return the provider of the credentials that a connection describes.

    :param values: the fields of the connection; a field that is ``None`` or empty is not set.
    :param host: the name of the host that the connection itself sets; ``credentials_uri`` may point there as well.
    :raises ConfigurationError: if a field is missing, malformed or not used by the ``auth_type``; the text names it.
    """
    auth_type = values.get("auth_type") or ("sts" if values.get("security_token") else "access_key")
    if auth_type in STATIC:
        _check_use(auth_type, values)
        static = StaticCredentials(
            Credentials(values.get("login") or "", values.get("password") or "", values.get("security_token"))
        )
        static.ready()
        return static
    _check_use(auth_type, values)
    given = {name: values[name] for name in AUTH_FIELDS if values.get(name) and name not in ("login", "password")}
    for name, (form, words) in FORMS.items():
        if name in given and not form.fullmatch(given[name]):
            raise ConfigurationError(f"extra {name!r} must have the form {words}.")
    if "policy" in given:
        check_policy(given["policy"])
    return shared_credentials(_source(auth_type, given, values, host), ca_bundle=values.get("ca_bundle") or None)


def _source(auth_type: str, given: Mapping[str, Any], values: Mapping[str, Any], host: str | None) -> Source:
    role: dict[str, Any] = {
        "role_arn": given.get("role_arn"),
        "role_session_name": given.get("role_session_name") or DEFAULT_SESSION_NAME,
        "duration_seconds": int(given.get("role_session_expiration") or DEFAULT_SESSION_SECONDS),
        "policy": given.get("policy"),
    }
    match auth_type:
        case "ram_role_arn":
            return AssumeRole(base=_base(values), external_id=given.get("external_id"), **role)
        case "oidc_role_arn":
            if not PurePath(given["oidc_token_file"]).is_absolute():
                raise ConfigurationError("extra 'oidc_token_file' must be an absolute path.")
            provider, file = given["oidc_provider_arn"], given["oidc_token_file"]
            return AssumeRoleWithOIDC(oidc_provider_arn=provider, oidc_token_file=file, **role)
        case "ecs_ram_role":
            return InstanceMetadata(given.get("role_name"))
        case "credentials_uri":
            hosts = (host,) if host else ()
            return CredentialsUri(check_uri(given["credentials_uri"], named="extra 'credentials_uri'", hosts=hosts))
    return DefaultChain()


def _check_use(auth_type: str, values: Mapping[str, Any]) -> None:
    known = AUTH_TYPES[auth_type]
    for name in AUTH_FIELDS:
        given = bool(values.get(name))
        if given and name not in (*known.needs, *known.takes):
            raise ConfigurationError(f"{_named(name)} must be empty: auth_type {auth_type!r} does not use it.")
        if not given and name in known.needs and not (auth_type in STATIC and name in ("login", "password")):
            raise ConfigurationError(f"{_named(name)} must be set: auth_type {auth_type!r} needs it.")


def _named(name: str) -> str:
    return {"login": "login (AccessKey ID)", "password": "password (AccessKey secret)"}.get(name, f"extra {name!r}")


def _base(values: Mapping[str, Any]) -> Source:
    """Return the credentials that assume the role: an AccessKey, or what the default chain finds."""
    if not (values.get("login") or values.get("password")):
        return DefaultChain()
    static = StaticCredentials(Credentials(values.get("login") or "", values.get("password") or ""))
    static.ready()
    return static


def check_policy(text: str) -> None:
    """Check a RAM policy.

    :raises ConfigurationError: if it is not a JSON object.
    """
    try:
        policy = DECODER.decode(text)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise ConfigurationError("extra 'policy' must be a JSON object, the text of a RAM policy.")
