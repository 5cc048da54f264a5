"""Where a connection says that keys come from: one table of what each ``auth_type`` needs, and the checks of it."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_aegis.client.credentials import CredentialsProvider, StaticCredentials
from airflow_provider_aegis.client.endpoints import is_loopback
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.vendor_credentials import VendorSource, shared_credentials

DEFAULT_SESSION_NAME = "airflow-provider-aegis"


@dataclass(frozen=True, slots=True)
class AuthType:
    """Which fields of the connection an ``auth_type`` takes.

    :param needs: fields that have to be set.
    :param takes: fields that may be.
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
STATIC = ("access_key", "sts")
AUTH_FIELDS = tuple(dict.fromkeys(name for one in AUTH_TYPES.values() for name in (*one.needs, *one.takes)))

# What a field has to look like; none of them can have a space, which the vendor's library signs wrongly.
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


def credentials_of(
    values: Mapping[str, Any], *, host: str | None, on_secret: Callable[[str], object] | None = None
) -> CredentialsProvider:
    """Return the provider of keys that a connection describes.

    :param values: the fields of the connection; ``None`` or an empty text is none.
    :param host: the name of the host that the connection itself sets; ``credentials_uri`` may lead there as well.
    :param on_secret: told every secret that is obtained.
    :raises ConfigurationError: if a field is missing, cannot be used, or has no use; the text names it.
    """
    auth_type = values.get("auth_type") or ("sts" if values.get("security_token") else "access_key")
    if auth_type in STATIC:
        _check_use(auth_type, values)
        static = StaticCredentials(
            Credentials(values.get("login") or "", values.get("password") or "", values.get("security_token"))
        )
        static.get()
        return static
    _check_use(auth_type, values)
    given = {name: values[name] for name in AUTH_FIELDS if values.get(name) and name not in ("login", "password")}
    for name, (form, words) in FORMS.items():
        if name in given and not form.fullmatch(given[name]):
            raise ConfigurationError(f"extra {name!r} is not of the form {words}.")
    if "role_arn" in given:
        given.setdefault("role_session_name", DEFAULT_SESSION_NAME)
    if "role_session_expiration" in given:
        given["role_session_expiration"] = int(given["role_session_expiration"])
    if "policy" in given:
        given["policy"] = compact_policy(given["policy"])
    if "credentials_uri" in given:
        given["credentials_uri"] = check_uri(given["credentials_uri"], host)
    if "oidc_token_file" in given and not PurePath(given["oidc_token_file"]).is_absolute():
        raise ConfigurationError("extra 'oidc_token_file' must be an absolute path.")
    return shared_credentials(
        VendorSource(
            auth_type=auth_type,
            base=_base(values),
            ca_bundle=values.get("ca_bundle") or None,
            on_secret=on_secret,
            **given,
        ),
    )


def _check_use(auth_type: str, values: Mapping[str, Any]) -> None:
    known = AUTH_TYPES[auth_type]
    for name in AUTH_FIELDS:
        given = bool(values.get(name))
        if given and name not in (*known.needs, *known.takes):
            raise ConfigurationError(f"{_named(name)} is set, and auth_type {auth_type!r} has no use for it.")
        if not given and name in known.needs and not (auth_type in STATIC and name in ("login", "password")):
            raise ConfigurationError(f"{_named(name)} is empty, and auth_type {auth_type!r} needs it.")


def _named(name: str) -> str:
    return {"login": "login (AccessKey ID)", "password": "password (AccessKey secret)"}.get(name, f"extra {name!r}")


def _base(values: Mapping[str, Any]) -> Credentials | None:
    """The keys that a role is assumed with, ``None`` for those of the default chain."""
    if not (values.get("login") or values.get("password")):
        return None
    return StaticCredentials(Credentials(values.get("login") or "", values.get("password") or "")).get()


def compact_policy(text: str) -> str:
    r"""Return a policy without any white space.

    The vendor's library signs a space wrongly. JSON needs none: inside a text it can be written ``\u0020``.

    :raises ConfigurationError: if it is not a JSON object.
    """
    try:
        policy = json.loads(text)
        compact = json.dumps(policy, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise ConfigurationError("extra 'policy' must be a JSON object, the text of a RAM policy.")
    return compact.replace(" ", "\\u0020")


def check_uri(text: str, host: str | None) -> str:
    """Return the address of a service that hands out keys, with its port.

    :param host: a host name that is allowed besides this machine's own.
    :raises ConfigurationError: if it is of another form, or leads elsewhere.
    """
    problem = "extra 'credentials_uri' must be an address as http://127.0.0.1:8080/path, without user and fragment"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{problem}.") from None
    name = (parts.hostname or "").lower()
    odd = not text.isascii() or not text.isprintable() or " " in text or "\\" in text
    if parts.scheme not in ("http", "https") or not name or odd or "@" in parts.netloc or parts.fragment:
        raise ConfigurationError(f"{problem}.")
    if ":" in name:
        raise ConfigurationError("extra 'credentials_uri': the vendor's library takes no IPv6 address.")
    if not (is_loopback(name) or _is_link_local(name) or name == host):
        raise ConfigurationError(
            "extra 'credentials_uri' must lead to this machine (loopback or link-local) or to the connection's host."
        )
    port = port or {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{name}:{port}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


def _is_link_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_link_local
    except ValueError:
        return False
