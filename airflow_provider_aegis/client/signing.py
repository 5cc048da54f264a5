"""Signature version 3 (ACS3-HMAC-SHA256): a request in, its signed headers out.

Everything here is pure. Facts: the vendor's page "Request syntax and signature method V3".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AccessKey pair, with the STS token when the keys are temporary; its ``repr`` shows no secret."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """Bring parameters into the RPC style's flat form of text.

    :param params: names and values; ``None`` is dropped, a list becomes ``Name.1``, ``Name.2`` …, a dict ``Name.Key``,
        a boolean lower case, anything else its text. An empty list or dict vanishes.
    :return: one text for each name.
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
            members = value.items()
        case list() | tuple():
            members = enumerate(value, start=1)
        case bool():
            flat[name] = str(value).lower()
            return
        case _:
            flat[name] = str(value)
            return
    for key, member in members:
        _flatten_into(flat, f"{name}.{key}", member)


def percent_encode(text: str) -> str:
    """Percent-encode as RFC 3986 does, leaving only ``A-Za-z0-9-_.~`` as they are."""
    return quote(text, safe="~")


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
    secret = credentials.access_key_secret.encode()
    signature = hmac.digest(secret, string_to_sign.encode(), "sha256").hex()
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
        headers["x-acs-security-token"] = credentials.security_token
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
