"""Signature version 3 (ACS3-HMAC-SHA256): a request in, its signed headers out.

Everything here is pure. Facts: the vendor's page "Request syntax and signature method V3".
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.secret import Secret

ALGORITHM = "ACS3-HMAC-SHA256"
# Sequences that are no lists.
NO_LISTS = (str, bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True, init=False)
class Credentials:
    """An AccessKey pair, with the STS token when the keys are temporary; secret and token are kept as secrets."""

    access_key_id: str
    access_key_secret: Secret
    security_token: Secret | None

    def __init__(
        self, access_key_id: str, access_key_secret: str | Secret, security_token: str | Secret | None = None
    ) -> None:
        object.__setattr__(self, "access_key_id", access_key_id)
        object.__setattr__(self, "access_key_secret", _kept(access_key_secret))
        object.__setattr__(self, "security_token", None if security_token is None else _kept(security_token))


def _kept(secret: str | Secret) -> Secret:
    return secret if isinstance(secret, Secret) else Secret(secret)


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """Bring parameters into the RPC style's flat form of text.

    :param params: names and values; ``None`` is dropped, a list or another sequence becomes ``Name.1``, ``Name.2`` …,
        a dict ``Name.Key``, a boolean lower case, a number its text. An empty list or dict vanishes.
    :return: one text for each name.
    :raises ConfigurationError: naming a parameter that is anything else.
    """
    flat: dict[str, str] = {}
    for name, value in params.items():
        _flatten_into(flat, name, value)
    return flat


def _flatten_into(flat: dict[str, str], name: str, value: Any) -> None:
    members: Iterable[tuple[Any, Any]]
    match value:
        case None:
            return
        case Mapping():
            members = ((_key(name, key), member) for key, member in value.items())
        case Sequence() if not isinstance(value, NO_LISTS):
            members = enumerate(value, start=1)
        case _:
            flat[name] = _text(name, value)
            return
    for key, member in members:
        _flatten_into(flat, f"{name}.{key}", member)


def _key(name: str, key: object) -> str:
    if isinstance(key, str | int) and not isinstance(key, bool):
        return _text(name, key)
    raise ConfigurationError(f"{name} has a key that is not a string but {type(key).__name__}.")


def _text(name: str, value: object) -> str:
    try:
        match value:
            case bool():
                return str(value).lower()
            case str():
                value.encode()
                return str.__str__(value)  # the text of a member of an Enum
            case int():
                return int.__repr__(value)
            case float() if math.isfinite(value):
                return float.__repr__(value)
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} has half a character in it (a lone surrogate).") from None
    except ValueError:
        raise ConfigurationError(f"{name} is too large a number.") from None
    what = f"{value}" if isinstance(value, float) else type(value).__name__
    raise ConfigurationError(f"{name} is {what}, which cannot be sent: give text, a number, a list or a dict.")


def percent_encode(text: str) -> str:
    """Percent-encode as RFC 3986 does, leaving only ``A-Za-z0-9-_.~`` as they are."""
    return quote(text, safe="~")


@lru_cache(maxsize=16)
def iso_date(now: int) -> str:
    """Return a time as requests are dated.

    :param now: seconds since the epoch.
    """
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def canonical_query(query: Mapping[str, str]) -> str:
    """Return the query string that is signed, and that has to be on the wire as it is."""
    return "&".join(f"{percent_encode(name)}={percent_encode(query[name])}" for name in sorted(query))


def canonical_request(*, method: str, path: str, query: str, headers: Mapping[str, str], payload_hash: str) -> str:
    """Return the text whose hash is signed.

    :param query: the canonical query string.
    :param headers: exactly the headers to sign.
    :param payload_hash: hex SHA-256 of the body.
    """
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    names = sorted(lowered)
    lines = "".join(f"{name}:{lowered[name]}\n" for name in names)
    return "\n".join((method, path, query, lines, ";".join(names), payload_hash))


def authorization(
    *,
    method: str,
    path: str = "/",
    query: str,
    headers: Mapping[str, str],
    payload_hash: str,
    credentials: Credentials,
) -> str:
    """Sign a request and return the value of its ``Authorization`` header.

    :param query: the canonical query string.
    :param headers: exactly the headers to sign.
    :param payload_hash: hex SHA-256 of the body.
    """
    request = canonical_request(method=method, path=path, query=query, headers=headers, payload_hash=payload_hash)
    string_to_sign = f"{ALGORITHM}\n{sha256_hex(request.encode())}"
    secret = credentials.access_key_secret
    signature = hmac.digest(secret.reveal().encode(), string_to_sign.encode(), "sha256").hex()
    signed = ";".join(sorted(name.lower() for name in headers))
    return f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={signed},Signature={signature}"


def signed_headers(
    *,
    method: str,
    host: str,
    path: str = "/",
    query: str,
    action: str,
    version: str,
    date: str,
    nonce: str,
    credentials: Credentials,
    body: bytes = b"",
    content_type: str | None = None,
) -> dict[str, str]:
    """Return every header that a signed call needs, ``Authorization`` included.

    Signed are ``host``, ``content-type`` when there is a body, and the ``x-acs-*`` headers; nothing else, so that a
    proxy which rewrites any other header breaks no call.

    :param host: as the ``Host`` header will say it, with the port when it is not the scheme's own.
    :param query: the canonical query string.
    :param date: UTC, ``YYYY-MM-DDTHH:MM:SSZ``; the service accepts 15 minutes to either side.
    :param nonce: a text never used before.
    """
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": sha256_hex(body),
    }
    if credentials.security_token:
        headers["x-acs-security-token"] = credentials.security_token.reveal()
    if body and content_type:
        headers["content-type"] = content_type
    headers["authorization"] = authorization(
        method=method,
        path=path,
        query=query,
        headers=headers,
        payload_hash=headers["x-acs-content-sha256"],
        credentials=credentials,
    )
    return headers


def sha256_hex(data: bytes) -> str:
    """Return the hex SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()
