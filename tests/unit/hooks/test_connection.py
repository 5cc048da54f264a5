"""The connection: what is read, from where, and what is refused with which words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aegis.client.endpoints import CHINA, INTERNATIONAL
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.hooks.connection import FIELDS, conn_fields, parse_connection


def connection(**fields: Any) -> Any:
    extra = fields.pop("extra", {"region": "cn-hangzhou"})
    text = extra if isinstance(extra, str) else json.dumps(extra)
    defaults = {"conn_id": "c", "conn_type": "aegis", "login": "id", "password": "secret", "host": None, "port": None}
    return SimpleNamespace(**{**defaults, "extra": text, **fields})


@pytest.mark.parametrize(
    ("region", "host"), [("cn-hangzhou", CHINA), ("cn-hongkong", CHINA), ("ap-southeast-1", INTERNATIONAL)]
)
def test_the_region_chooses_the_control_plane(region: str, host: str) -> None:
    assert parse_connection(connection(extra={"region": region})).endpoint.url == f"https://{host}/"


def test_a_host_wins_over_the_region() -> None:
    service = parse_connection(connection(host="tds.vpc-proxy.aliyuncs.com"), region="ap-southeast-1")
    assert service.endpoint.url == "https://tds.vpc-proxy.aliyuncs.com/"


def test_the_arguments_region_wins_over_the_connections() -> None:
    assert parse_connection(connection(), region="eu-central-1").endpoint.host == INTERNATIONAL


def test_an_emulator_on_loopback_needs_no_tls() -> None:
    service = parse_connection(connection(host="http://127.0.0.1", port=8765, extra={}))
    assert service.endpoint.url == "http://127.0.0.1:8765/"


def test_defaults_are_those_of_the_table() -> None:
    service = parse_connection(connection())
    assert (service.connect_timeout, service.read_timeout, service.max_requests_per_second) == (5, 10, 5)
    assert service.ca_bundle is None


def test_extras_are_read_and_may_be_text_as_in_a_uri() -> None:
    extra = {"region": "cn-hangzhou", "connect_timeout": "2.5", "read_timeout": 7, "max_requests_per_second": "1"}
    service = parse_connection(connection(extra=extra | {"security_token": "token", "ca_bundle": "/ca.pem"}))
    assert (service.connect_timeout, service.read_timeout, service.max_requests_per_second) == (2.5, 7, 1)
    assert service.credentials.get().security_token == "token"
    assert service.ca_bundle == "/ca.pem"


@pytest.mark.parametrize(
    ("fields", "site"),
    [
        ({"extra": {"region": "cn-hangzhou"}}, "china"),
        ({"extra": {"region": "eu-central-1"}}, "international"),
        ({"extra": {"region": "cn-hangzhou", "console_site": "international"}}, "international"),
        ({"extra": {"region": "eu-central-1", "console_site": "china"}}, "china"),
        ({"host": "tds-intl.vpc-proxy.aliyuncs.com", "extra": {}}, "international"),
        ({"host": "http://localhost:1", "extra": {}}, "china"),
    ],
)
def test_the_console_is_that_of_the_accounts_site(fields: dict[str, Any], site: str) -> None:
    assert parse_connection(connection(**fields)).site == site


def test_a_connection_of_the_official_provider_works() -> None:
    conn = connection(
        conn_type="alibaba_cloud",
        login=None,
        password=None,
        host="oss-cn-hangzhou.aliyuncs.com",
        extra={
            "auth_type": "AK",
            "access_key_id": "theirs",
            "access_key_secret": "hidden",
            "region": "cn-hangzhou",
            "endpoint": "http://another.product.example",
        },
    )
    service = parse_connection(conn)
    assert service.endpoint.host == CHINA
    assert service.credentials.get().access_key_id == "theirs"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"extra": {}}, "Neither region nor host is set"),
        ({"login": ""}, r"login \(AccessKey ID\) is empty"),
        ({"password": None}, r"password \(AccessKey secret\) is empty"),
        ({"login": " id"}, "login .* white space"),
        ({"password": "se\ncret"}, "password .* odd characters"),
        ({"extra": {"region": "cn-hangzhou", "read_timeout": "soon"}}, "'read_timeout' must be a number from 0.1"),
        ({"extra": {"region": "cn-hangzhou", "read_timeout": 0}}, "'read_timeout' must be a number"),
        ({"extra": {"region": "cn-hangzhou", "connect_timeout": True}}, "'connect_timeout' must be a number"),
        ({"extra": {"region": "cn-hangzhou", "connect_timeout": "nan"}}, "'connect_timeout' must be a number"),
        ({"extra": {"region": "cn-hangzhou", "max_requests_per_second": 1e9}}, "'max_requests_per_second' must be"),
        ({"extra": {"region": "cn-hangzhou", "console_site": "moon"}}, "'console_site' must be one of china, intern"),
        ({"extra": {"region": ["cn-hangzhou"]}}, "'region' must be a text"),
        ({"extra": {"region": "cn_hangzhou"}}, "region 'cn_hangzhou' is not a region id"),
        ({"extra": "{"}, "extra is not JSON"),
        ({"extra": "[]"}, "extra must be a JSON object"),
        ({"host": "http://tds.aliyuncs.com"}, "plain http"),
        ({"host": "tds.aliyuncs.com/path"}, "not a plain host name"),
        ({"host": "tds.aliyuncs.com", "port": 123456}, "port 123456"),
    ],
)
def test_what_cannot_be_used_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s)Connection 'c': .*{named}") as caught:
        parse_connection(connection(**fields))
    assert "secret'" not in str(caught.value)


def test_no_secret_is_in_a_repr() -> None:
    extra = {"region": "cn-hangzhou", "security_token": "hidden-token"}
    text = repr(parse_connection(connection(password="hidden-key", extra=extra)))
    assert "hidden" not in text


def test_secret_extras_have_names_that_airflow_masks() -> None:
    passwords = [name for name, one in conn_fields().items() if one["schema"].get("format") == "password"]
    assert passwords == ["security_token"]


def test_every_extra_of_the_table_is_in_the_form_with_its_default() -> None:
    form = conn_fields()
    assert list(form) == [one.name for one in FIELDS if one.name not in ("login", "password", "host")]
    for one in FIELDS:
        if one.name in form:
            assert form[one.name]["schema"].get("default") == one.default
