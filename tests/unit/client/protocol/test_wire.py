"""How parameters go onto the wire, and which have no form there."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.operations import call
from tests.fakes import OK, stage


def shown(value: object) -> str:
    """Name a test after a value, the same in every process."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


class Lazy(Sequence[Any]):
    """A sequence that is no list, as Airflow's ``LazyXComSequence`` of a mapped task."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


class Word(str, Enum):  # noqa: UP042  # its text is not its value
    A = "a"


class Plain(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class IntLike(int, Enum):
    ONE = 1


def sent(action: str, **params: Any) -> dict[str, str]:
    return dict(parse_qsl(call(action, **params).query, keep_blank_values=True))


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        ("a b", {"P": "a b"}),
        ("", {"P": ""}),
        (7, {"P": "7"}),
        (2**70, {"P": str(2**70)}),
        (1.5, {"P": "1.5"}),
        (True, {"P": "true"}),
        (None, {}),
        ([], {}),
        ({}, {}),
        (["a", None, 2], {"P.1": "a", "P.3": "2"}),
        (("a", "b"), {"P.1": "a", "P.2": "b"}),
        (Lazy("a", {"K": 1}), {"P.1": "a", "P.2.K": "1"}),
        (deque("ab"), {"P.1": "a", "P.2": "b"}),
        (range(2), {"P.1": "0", "P.2": "1"}),
        ({"K": [1], "L": {"M": False}}, {"P.K.1": "1", "P.L.M": "false"}),
        ({1: "a"}, {"P.1": "a"}),
        (MappingProxyType({"K": 1}), {"P.K": "1"}),
        (Word.A, {"P": "a"}),
        (Plain.A, {"P": "a"}),
        (Number.ONE, {"P": "1"}),
        (IntLike.ONE, {"P": "1"}),
    ],
    ids=shown,
)
def test_the_common_form_is_flat(value: object, flat: dict[str, str]) -> None:
    request = call("DescribeX", P=value)
    assert (sent("DescribeX", P=value), request.method, request.body, request.content_type) == (flat, "POST", b"", None)


def test_airflow_hands_a_sequence_of_results_over() -> None:
    lazy = pytest.importorskip("airflow.sdk.execution_time.lazy_sequence").LazyXComSequence
    assert issubclass(lazy, Sequence)


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("value", "name", "what"),
    [
        (b"x", "Uuids", "bytes"),
        (bytearray(b"x"), "Uuids", "bytearray"),
        (memoryview(b"x"), "Uuids", "memoryview"),
        ({"a"}, "Uuids", "set"),
        (frozenset("a"), "Uuids", "frozenset"),
        (numbers(), "Uuids", "generator"),
        (object(), "Uuids", "object"),
        (Decimal("1.5"), "Uuids", "Decimal"),
        (math.nan, "Uuids", "nan"),
        (-math.inf, "Uuids", "-inf"),
        (["a", b"b"], r"Uuids\.2", "bytes"),
        ({"K": [{"L": {"x"}}]}, r"Uuids\.K\.1\.L", "set"),
    ],
    ids=shown,
)
@pytest.mark.parametrize("action", ["DescribeX", "GetAgentlessTaskCountBatch"])
def test_what_has_no_form_is_refused_by_name(action: str, value: object, name: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{action}: parameter {name} is {what}, which cannot be sent: give"):
        _ = call(action, Uuids=value).query


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\ud800", "parameter P has half a character"),
        ({"\ud800": 1}, "parameter P has half a character"),
        (10**5000, "parameter P is too large a number"),
        ({b"k": 1}, "parameter P has a key that is not a string but bytes"),
        ({None: 1}, "parameter P has a key that is not a string but NoneType"),
        ({True: 1}, "parameter P has a key that is not a string but bool"),
    ],
    ids=["half a character", "half a character in a key", "a number", "bytes", "None", "a boolean"],
)
def test_an_odd_text_number_or_key_is_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^DescribeX: {words}"):
        _ = call("DescribeX", P=value).query


DEEP: list[Any] = []
DEEP.append(DEEP)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, True, None, "ü"], "b": {}}, '{"a":[1,true,null,"ü"],"b":{}}'),
        ([], "[]"),
        ({}, "{}"),
        (("a", "b"), '["a","b"]'),
        (Lazy("a", MappingProxyType({"k": deque("b")})), '["a",{"k":["b"]}]'),
        ('{"a": 1}', '{"a": 1}'),
    ],
    ids=shown,
)
def test_a_list_or_an_object_goes_as_json_text_where_the_operation_wants_it(value: object, text: str) -> None:
    assert sent("AddContainerDefenseRule", Whitelist=value, Name="n") == {"Whitelist": text, "Name": "n"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([b"x"], "cannot be written as JSON: bytes"),
        ({"a": {"x"}}, "cannot be written as JSON: set"),
        ([math.nan], "cannot be written as JSON: Out of range"),
        ({b"k": 1}, "cannot be written as JSON: keys must be"),
        (DEEP, "cannot be written as JSON: Circular"),
        (["\ud800"], "has half a character"),
        ({"x"}, "is set, which cannot be sent"),
        (b"x", "is bytes, which cannot be sent"),
    ],
    ids=shown,
)
def test_what_json_has_no_form_for_is_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^AddContainerDefenseRule: parameter Whitelist {words}"):
        _ = call("AddContainerDefenseRule", Whitelist=value).query


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        (["a", 1, True], {"Types": "a,1,true"}),
        (Lazy("a", "b"), {"Types": "a,b"}),
        ([], {"Types": ""}),
        ("a,b", {"Types": "a,b"}),
        ({"K": "a"}, {"Types.K": "a"}),
        (None, {}),
    ],
    ids=shown,
)
def test_a_list_goes_with_commas_where_the_operation_wants_it(value: object, flat: dict[str, str]) -> None:
    assert sent("ListPluginForUuid", Types=value) == flat


def test_parameters_of_a_form_are_in_the_body_alone() -> None:
    request = call("ModifyImageRegistry", Id=1, UserName="u", Password="p&ss wörd", Other=True)
    assert (request.query, request.content_type) == ("Other=true", "application/x-www-form-urlencoded")
    assert request.body == b"Id=1&Password=p%26ss+w%C3%B6rd&UserName=u"
    assert "p&ss" not in repr(request)
    listed = call("GetAgentlessTaskCountBatch", UuidList=["a", "b"])
    assert (listed.query, listed.body) == ("", b"UuidList.1=a&UuidList.2=b")
    given_flat = call("GetAgentlessTaskCountBatch", **{"UuidList.1": "a"})
    assert (given_flat.query, given_flat.body) == ("", b"UuidList.1=a")


def test_a_form_can_hold_json_text() -> None:
    body = parse_qsl(call("CreateSasTrial", RequestForm={"TryReason": "r"}, TryType=1).body.decode())
    assert [(name, json.loads(value)) for name, value in body] == [("RequestForm", {"TryReason": "r"}), ("TryType", 1)]


def test_the_request_of_a_form_signs_its_body_and_shows_it_nowhere() -> None:
    it = stage(OK)
    it.run_flow(exchange(it.config, call("ModifyImageRegistry", Id=1, Password="p&ssword")))
    (request,) = it.sent
    assert (request.method, request.url) == ("POST", it.config.endpoint.url)
    assert request.body == b"Id=1&Password=p%26ssword"
    assert request.headers == {"content-type": "application/x-www-form-urlencoded"}
    assert "ssword" not in repr(request)


def test_an_operation_that_is_read_with_get_is_sent_so() -> None:
    it = stage(OK)
    it.run_flow(exchange(it.config, call("ListCheckRule", Lang="en")))
    (request,) = it.sent
    assert (request.method, request.body, request.headers) == ("GET", b"", {})
    assert request.url.endswith("?Lang=en")
