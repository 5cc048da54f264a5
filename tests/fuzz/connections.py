"""Fuzz target: an Airflow connection, and everything that is made of its fields.

The bytes are the type, login, password, host, port and the region of an operator, a line each; the rest is the extra.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials.uri import check_uri
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.exchange import Signature
from airflow_provider_aegis.client.protocol.endpoints import is_loopback, parse_host, resolve_endpoint
from airflow_provider_aegis.hooks.auth import AUTH_TYPES, check_policy
from airflow_provider_aegis.hooks.connection import parse_connection
from airflow_provider_aegis.hooks.connection_form import FIELDS


@dataclass
class Connection:
    """What Airflow keeps of a connection."""

    conn_type: str
    login: str | None
    password: str | None
    host: str | None
    port: int | None
    extra: str | None
    conn_id: str = "aegis_default"


def fuzz(data: bytes) -> None:
    """Make a client of a connection; only an error that says what is wrong with it may come of it."""
    conn = parse(data)
    region = _lines(data)[5]
    host, extra = conn.host or "", conn.extra or ""
    _own_errors(lambda: check_service(parse_connection(conn, region=region or None)))
    _own_errors(lambda: check_endpoint_of(host, conn.port, region))
    _own_errors(lambda: check_address(check_uri(host, named="uri", hosts=(region,)), region))
    _own_errors(lambda: check_policy(extra))
    names = (one.name for one in FIELDS if not one.standard and one.name != "auth_type")
    values = {name: text for name, text in zip(names, extra.split(","), strict=False) if text}
    for auth_type in AUTH_TYPES:
        conn.extra = json.dumps({**values, "auth_type": auth_type, "region": "cn-hangzhou"})
        _own_errors(lambda: check_service(parse_connection(conn)))


def parse(data: bytes) -> Connection:
    """Make a connection of the fuzzer's bytes."""
    conn_type, login, password, host, port, _, extra = _lines(data)
    number = int(port) if port.isascii() and port.isdecimal() and len(port) < 7 else None
    return Connection(conn_type, login or None, password or None, host or None, number, extra or None)


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    return (text + "\n" * max(0, 6 - text.count("\n"))).split("\n", 6)


def _own_errors(read: Callable[[], object]) -> None:
    try:
        read()
    except ConfigurationError as error:
        check_text(str(error))


def check_text(text: str) -> None:
    """An error is one printable line."""
    assert text.isprintable(), repr(text)


def check_service(config: ClientConfig) -> None:
    """Whatever a connection says, calls go over TLS or stay on this machine, and wait for a time that is sane."""
    endpoint = config.endpoint
    name = urlsplit(endpoint.url).hostname or ""
    assert endpoint.scheme == "https" or is_loopback(name.strip("[]"))
    assert urlsplit(endpoint.url).netloc == endpoint.host
    assert urlsplit(endpoint.url).username is None
    assert 0.1 <= config.connect_timeout <= 60
    assert 0.1 <= config.read_timeout <= 120
    assert 0.1 <= config.max_requests_per_second <= 100
    assert config.site in ("china", "international")
    assert config.credentials.account is not None
    keys = config.credentials.ready()
    if keys is None:
        return  # a service hands them out, and none is asked here
    signed = Signature("GetOnceTaskResultInfo", "2026-01-02T03:04:05Z", "nonce", keys).headers(
        method="POST", host=endpoint.host, path="/", query=""
    )
    assert all(value.isascii() and value.isprintable() for value in signed.values())


def check_endpoint_of(host: str, port: int | None, region: str) -> None:
    """An endpoint is a plain name, whichever way it was found."""
    with contextlib.suppress(ConfigurationError):
        assert "/" not in parse_host(host, port).host
    assert "/" not in resolve_endpoint(region=region, host=host, port=port).host


def check_address(address: str, host: str) -> None:
    """Credentials are only ever asked of this machine, or of the connection's own host."""
    parts = urlsplit(address)
    name = parts.hostname or ""
    assert name == host or is_loopback(name) or ipaddress.ip_address(name).is_link_local, address
    assert address.isascii()
    assert address.isprintable()


def seed(conn_type: str, login: str, password: str, host: str, port: str, region: str, extra: object) -> bytes:
    """Write a connection as the fuzzer's bytes."""
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return "\n".join((conn_type, login, password, host, port, region, text)).encode()


# What the fuzzer puts together.
WORDS = (
    *(f'"{one.name}":' for one in FIELDS if not one.standard),
    *(f'"{name}"' for name in AUTH_TYPES),
    *("alibaba_cloud", '"access_key_id":', '"access_key_secret":', "http://", "https://", "127.0.0.1", "[::1]", "@"),
    *("169.254.", "acs:ram::1:role/", "acs:ram::1:oidc-provider/", "NaN", "1e999", "\\ud800", "\\u0000", "[[[[", "%"),
)

ROLE = {"auth_type": "ram_role_arn", "role_arn": "acs:ram::1234567890:role/scanner", "external_id": "airflow"}
OIDC = {
    "auth_type": "oidc_role_arn",
    "role_arn": "acs:ram::1234567890:role/scanner",
    "oidc_provider_arn": "acs:ram::1234567890:oidc-provider/ack",
    "oidc_token_file": "/var/run/token",
    "role_session_expiration": 900,
    "policy": '{"Version": "1", "Statement": []}',
}
URI = {"auth_type": "credentials_uri", "credentials_uri": "http://127.0.0.1:8080/keys?a=b"}
NUMBERS = {"region": "cn-hangzhou", "connect_timeout": "5", "read_timeout": 10, "max_requests_per_second": 5.0}
SEEDS = (
    seed("aegis", "LTAI", "secret", "", "", "", {"region": "cn-hangzhou"}),
    seed("aegis", "LTAI", "secret", "http://127.0.0.1", "8080", "cn-shanghai", NUMBERS),
    seed("aegis", "LTAI", "secret", "https://[::1]:443/", "", "", {"security_token": "CAIS", "console_site": "china"}),
    seed("aegis", "LTAI", "secret", "tds.vpc-proxy.aliyuncs.com", "", "", ROLE),
    seed("aegis", "", "", "", "", "ap-southeast-1", OIDC),
    seed("aegis", "", "", "http://127.0.0.1", "8080", "tds.example", {"region": "cn-hangzhou", **URI}),
    seed("aegis", "", "", "", "", "cn-hangzhou", {"auth_type": "ecs_ram_role", "role_name": "airflow"}),
    seed("alibaba_cloud", "", "", "", "", "", {"access_key_id": "LTAI", "access_key_secret": "s", "region": "cn-a"}),
)
