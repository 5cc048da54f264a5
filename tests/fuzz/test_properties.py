"""The fuzzer's targets against random but well-formed input: seconds of it, wherever the tests run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_aegis.client.protocol.operations import OPERATIONS
from airflow_provider_aegis.hooks.auth import AUTH_TYPES
from airflow_provider_aegis.hooks.connection import parse_connection
from airflow_provider_aegis.hooks.connection_form import FIELDS
from tests.fakes import patiently
from tests.fuzz import answers, connections

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ("SUCCESS", "Throttling", "TaskRepeat", "10%", "true", "1671184531000", "None", "\x1b[31m\n", "\ud800")
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), TEXTS)
NAMES = st.one_of(st.sampled_from((*answers.NAMES, "TaskManageResponseList", "OnceTasks")), st.text(max_size=5))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
BODIES = st.one_of(
    st.binary(max_size=200), st.dictionaries(NAMES, VALUES, max_size=6).map(lambda x: json.dumps(x).encode())
)
HEADERS = st.dictionaries(
    st.sampled_from(("date", "x-acs-retry-after", "x-acs-request-id")),
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30),
        st.integers(-1, 10**13).map(str),
        st.datetimes().map(lambda at: f"{at:%a, %d %b %Y %H:%M:%S} GMT"),
    ),
)
ACTIONS = st.sampled_from(tuple(answers.CALLS))


def written(status: int, action: str, headers: dict[str, str], body: bytes) -> bytes:
    """Put an answer into the fuzzer's bytes."""
    lines = "".join(f"\n{name}: {value}" for name, value in headers.items())
    return f"{status} {action}{lines}\n\n".encode() + body


@patiently
@given(st.builds(written, st.integers(100, 999), ACTIONS, HEADERS, BODIES))
def test_an_answer_is_read_or_refused_by_an_error_of_this_package(data: bytes) -> None:
    answers.fuzz(data)


EXTRA_NAMES = st.sampled_from([one.name for one in FIELDS] + ["access_key_id", "access_key_secret"])
EXTRAS = st.dictionaries(
    EXTRA_NAMES,
    st.one_of(
        SCALARS,
        st.sampled_from([*AUTH_TYPES, "cn-hangzhou", "acs:ram::1:role/r", "http://127.0.0.1/k", "/t", "{}"]),
        st.lists(SCALARS, max_size=2),
    ),
    max_size=8,
)
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)
HOSTS = st.one_of(
    LINES, st.sampled_from(("http://127.0.0.1", "https://[::1]:443", "http://169.254.0.1/", "tds.example"))
)


def written_connection(kind: str, lines: tuple[str, str], host: str, port: int, region: str, extra: Any) -> bytes:
    """Put a connection into the fuzzer's bytes."""
    return connections.seed(kind, *lines, host, str(port), region, extra)


@patiently
@given(
    st.builds(
        written_connection,
        st.sampled_from(("aegis", "alibaba_cloud")),
        st.tuples(LINES, LINES),
        HOSTS,
        st.integers(0, 70_000),
        st.one_of(LINES, st.just("cn-hangzhou")),
        EXTRAS,
    )
)
def test_a_connection_is_read_or_refused_by_a_configuration_error(data: bytes) -> None:
    connections.fuzz(data)


@pytest.mark.parametrize("target", [answers, connections], ids=["answers", "connections"])
@patiently
@given(data=st.binary(max_size=100))
@example(data=b"")
def test_any_bytes_at_all(target: Any, data: bytes) -> None:
    target.fuzz(data)


@pytest.mark.parametrize("number", range(len(answers.SEEDS)))
def test_what_the_fuzzer_begins_with_is_what_the_service_answers(number: int) -> None:
    data = answers.SEEDS[number]
    answer, action = answers.parse(data)
    assert action in answers.CALLS or action in OPERATIONS
    assert answer.body
    answers.fuzz(data)


def test_the_fuzzer_begins_with_connections_that_can_be_read() -> None:
    for data in connections.SEEDS:
        connections.check_service(parse_connection(connections.parse(data), region="cn-hangzhou"))
