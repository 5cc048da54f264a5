"""Names in a connection that say nothing here: its type, and extras that nobody reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.models import Connection as StoredConnection

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.hooks.connection import parse_connection
from airflow_provider_aegis.hooks.connection_form import FIELDS
from tests.unit.hooks.test_connection import connection

EXTRAS = [one.name for one in FIELDS if not one.standard]


@pytest.mark.parametrize(
    ("extra", "todo"),
    [
        ("regoin", "write 'region'"),
        ("Region", "write 'region'"),
        ("read_time_out", "write 'read_timeout'"),
        ("sts_token", r"write '(security_token|auth_type)'|remove it"),
        ("extra__aegis__region", "write 'region'"),
        ("max_request_per_second", "write 'max_requests_per_second'"),
        ("wholly_else", "remove it; the known ones are region, auth_type, .*console_site.*"),
        ("access_key_id", "use the field 'login' instead"),
        ("access_key_secret", "use the field 'password' instead"),
        ("host", "use the field 'host' instead"),
    ],
)
@pytest.mark.parametrize("conn_type", ["aegis", "generic", None])
def test_an_extra_that_is_not_known_is_refused_with_the_nearest_name(
    conn_type: str | None, extra: str, todo: str
) -> None:
    conn = connection(conn_type=conn_type, extra={"region": "cn-hangzhou", extra: "hidden"})
    with pytest.raises(
        ConfigurationError, match=rf"^Connection 'c': extra '{extra}' is not known: ({todo})\.$"
    ) as caught:
        parse_connection(conn)
    assert "hidden" not in str(caught.value)


def test_a_long_name_is_cut() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_connection(connection(extra={"region": "cn-hangzhou", "x" * 80_000: 1}))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("empty", [None, ""])
def test_an_extra_that_is_empty_says_nothing(empty: str | None) -> None:
    assert parse_connection(connection(extra={"region": "cn-hangzhou", "regoin": empty})).region == "cn-hangzhou"


def test_the_extras_of_the_official_provider_are_its_own() -> None:
    extra = {"access_key_id": "id", "access_key_secret": "s", "region": "cn-hangzhou", "endpoint": "x", "whatever": 1}
    assert parse_connection(connection(conn_type="alibaba_cloud", extra=extra)).region == "cn-hangzhou"


@pytest.mark.parametrize("conn_type", ["aegis", "alibaba_cloud", "generic", "", None])
def test_types_that_work(conn_type: str | None) -> None:
    extra = {"region": "cn-hangzhou"}
    if conn_type == "alibaba_cloud":
        extra |= {"access_key_id": "id", "access_key_secret": "s"}
    assert parse_connection(connection(conn_type=conn_type, extra=extra)).credentials.account == "id"


@pytest.mark.parametrize("conn_type", ["http", "oss", "aws", "postgres", "Aegis", "aegiss", ["aegis"], 5, "x" * 80_000])
def test_a_connection_of_another_type_is_refused_and_the_types_that_work_are_named(conn_type: Any) -> None:
    # What it holds is for another service, and is neither sent nor shown.
    with pytest.raises(
        ConfigurationError, match=r"^Connection 'c': its type must be 'aegis' or 'alibaba_cloud', not "
    ) as caught:
        parse_connection(connection(conn_type=conn_type, login="other", password="hidden"))
    assert len(str(caught.value)) < 200
    assert "other" not in str(caught.value)


@pytest.mark.parametrize(
    "extra",
    [
        {"region": "cn-hangzhou", "read_timeout": "7"},
        {"region": "cn-hangzhou", "read_timeout": 7, "role_arn": None},
    ],
    ids=["plain", "numbers, which a URI carries as JSON in __extra__"],
)
def test_what_airflow_itself_writes_into_a_uri_is_read(extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stored = StoredConnection(conn_id="c", conn_type="aegis", login="id", password="s", extra=json.dumps(extra))
    uri = stored.get_uri()
    assert ("__extra__" in uri) == (extra["read_timeout"] == 7)
    monkeypatch.setenv("AIRFLOW_CONN_C", uri)
    config = AegisHook("c").config
    assert (config.region, config.read_timeout) == ("cn-hangzhou", 7)


@pytest.mark.parametrize(
    "text",
    ['{"login": "id", "password": "s", "extra": {"region": "cn-hangzhou"}}', "generic://id:s@?region=cn-hangzhou"],
)
def test_a_variable_that_gives_no_type_is_read_as_ours(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_C", text)
    assert AegisHook("c").config.credentials.account == "id"


@pytest.mark.parametrize("name", [one.name for one in FIELDS if "number" in one.schema["type"]])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", '"nan"', '"inf"', "-1", "true", "[]", "1e400"])
def test_a_number_that_is_none_is_refused_by_name(name: str, number: str) -> None:
    needs_role = {"auth_type": "ram_role_arn", "role_arn": "acs:ram::1:role/x"} if name.startswith("role") else {}
    extra = json.dumps({"region": "cn-hangzhou", **needs_role})[:-1] + f', "{name}": {number}}}'
    with pytest.raises(ConfigurationError, match=f"extra '{name}' must be a number from "):
        parse_connection(connection(extra=extra))


def test_every_extra_of_the_table_is_known() -> None:
    assert EXTRAS
    for name in EXTRAS:
        with pytest.raises(ConfigurationError) as caught:
            parse_connection(connection(extra={"region": "cn-hangzhou", name: ["odd"]}))
        assert f"'{name}' must be" in str(caught.value)
