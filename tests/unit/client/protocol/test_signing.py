from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from airflow_provider_aegis.client.protocol.signing import (
    Credentials,
    authorization,
    canonical_query,
    canonical_request,
    flatten,
    percent_encode,
    sha256_hex,
    signed_headers,
)

EMPTY_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
KEYS = Credentials("the-id", "the-secret", "the-token")


class Word(StrEnum):
    FIRST = "first"


class Number(IntEnum):
    SEVENTH = 7


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        pytest.param(None, {}, id="None vanishes"),
        pytest.param("", {"A": ""}, id="an empty text stays"),
        pytest.param("x y", {"A": "x y"}, id="text stays as it is"),
        pytest.param(True, {"A": "true"}, id="True is lower case"),
        pytest.param(False, {"A": "false"}, id="False is lower case"),
        pytest.param(0, {"A": "0"}, id="zero stays"),
        pytest.param(1.5, {"A": "1.5"}, id="a float is its text"),
        pytest.param(Word.FIRST, {"A": "first"}, id="a word of an enum is its value"),
        pytest.param(Number.SEVENTH, {"A": "7"}, id="a number of an enum is its value"),
        pytest.param(["x", "y"], {"A.1": "x", "A.2": "y"}, id="a list counts from one"),
        pytest.param(("x", "y"), {"A.1": "x", "A.2": "y"}, id="a tuple is a list"),
        pytest.param([], {}, id="an empty list vanishes"),
        pytest.param({}, {}, id="an empty dict vanishes"),
        pytest.param([[], {}], {}, id="emptiness vanishes at any depth"),
        pytest.param(["x", None, "y"], {"A.1": "x", "A.3": "y"}, id="None keeps its place in a list"),
        pytest.param({"B": "x", "C": None}, {"A.B": "x"}, id="a dict adds its names"),
        pytest.param([{"B": [True, {"C": 1}]}], {"A.1.B.1": "true", "A.1.B.2.C": "1"}, id="all of it at any depth"),
        pytest.param(list(range(11)), {f"A.{n + 1}": str(n) for n in range(11)}, id="more than nine members"),
    ],
)
def test_flatten(value: Any, flat: dict[str, str]) -> None:
    assert flatten({"A": value}) == flat


def test_flatten_leaves_the_parameters_alone() -> None:
    params = {"A": ["x", {"B": None}]}
    flatten(params)
    assert params == {"A": ["x", {"B": None}]}


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("AZaz09-_.~", "AZaz09-_.~"),
        (" ", "%20"),
        ("+", "%2B"),
        ("*", "%2A"),
        ("/", "%2F"),
        ("%", "%25"),
        ("%7E", "%257E"),
        ("a=b&c?d#e", "a%3Db%26c%3Fd%23e"),
        ('{"k":"v,w"}', "%7B%22k%22%3A%22v%2Cw%22%7D"),
        ("\n\t", "%0A%09"),
        ("é端😀", "%C3%A9%E7%AB%AF%F0%9F%98%80"),
        ("", ""),
    ],
)
def test_only_unreserved_characters_stay_as_they_are(text: str, encoded: str) -> None:
    assert percent_encode(text) == encoded


def test_the_query_is_sorted_by_the_names_code_points_before_they_are_encoded() -> None:
    query = dict.fromkeys(("b", "a.10", "a.2", "B", "a", "_", "a1", "é", "中"), "")
    assert canonical_query(query) == "B=&_=&a=&a.10=&a.2=&a1=&b=&%C3%A9=&%E4%B8%AD="


def test_no_parameters_make_an_empty_query() -> None:
    assert canonical_query({}) == ""


def test_headers_enter_the_canonical_request_lower_case_trimmed_and_sorted() -> None:
    request = canonical_request(
        method="POST",
        path="/",
        query="A=1",
        headers={"X-Acs-B": " two ", "Host": "h", "x-acs-a": "1"},
        payload_hash="p",
    )
    assert request == "POST\n/\nA=1\nhost:h\nx-acs-a:1\nx-acs-b:two\n\nhost;x-acs-a;x-acs-b\np"


def test_the_signature_is_an_hmac_with_the_bare_secret() -> None:
    request = "POST\n/\n\nhost:h\n\nhost\np"
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(b"the-secret", to_sign.encode(), hashlib.sha256).hexdigest()
    value = authorization(method="POST", query="", headers={"Host": "h"}, payload_hash="p", credentials=KEYS)
    assert value == f"ACS3-HMAC-SHA256 Credential=the-id,SignedHeaders=host,Signature={signature}"


def sign(**changes: Any) -> dict[str, str]:
    known: dict[str, Any] = {
        "method": "POST",
        "host": "h:8443",
        "query": "A=1",
        "action": "GetOnceTaskResultInfo",
        "version": "2018-12-03",
        "date": "2026-01-02T03:04:05Z",
        "nonce": "n",
        "credentials": KEYS,
    }
    return signed_headers(**known | changes)


ALWAYS = {
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
}


@pytest.mark.parametrize(
    ("changes", "further"),
    [
        pytest.param({"credentials": Credentials("i", "s")}, set(), id="plain keys"),
        pytest.param({"credentials": Credentials("i", "s", "")}, set(), id="an empty token is none"),
        pytest.param({}, {"x-acs-security-token"}, id="temporary keys"),
        pytest.param({"content_type": "application/json"}, {"x-acs-security-token"}, id="no body, no content-type"),
        pytest.param(
            {"body": b"{}", "content_type": "application/json"},
            {"x-acs-security-token", "content-type"},
            id="a body with its content-type",
        ),
    ],
)
def test_signed_are_host_content_type_of_a_body_and_x_acs_headers_and_nothing_else(
    changes: dict[str, Any], further: set[str]
) -> None:
    headers = sign(**changes)
    assert set(headers) == ALWAYS | further | {"authorization"}
    assert f",SignedHeaders={';'.join(sorted(ALWAYS | further))}," in headers["authorization"]


def test_the_headers_say_what_they_were_given() -> None:
    headers = sign(body=b"")
    del headers["authorization"]
    assert headers == {
        "host": "h:8443",
        "x-acs-action": "GetOnceTaskResultInfo",
        "x-acs-version": "2018-12-03",
        "x-acs-date": "2026-01-02T03:04:05Z",
        "x-acs-signature-nonce": "n",
        "x-acs-content-sha256": EMPTY_BODY,
        "x-acs-security-token": "the-token",
    }


def test_the_body_is_hashed() -> None:
    assert sign(body=b"{}")["x-acs-content-sha256"] == sha256_hex(b"{}") == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"host": "other"},
        {"path": "/other"},
        {"query": "A=2"},
        {"action": "CancelOnceTask"},
        {"version": "2014-05-26"},
        {"date": "2026-01-02T03:04:06Z"},
        {"nonce": "m"},
        {"body": b"{}"},
        {"credentials": Credentials("the-id", "another-secret", "the-token")},
        {"credentials": Credentials("the-id", "the-secret", "another-token")},
    ],
    ids=str,
)
def test_everything_that_is_sent_is_covered_by_the_signature(change: dict[str, Any]) -> None:
    assert sign(**change)["authorization"] != sign()["authorization"]


@pytest.mark.parametrize("secret", ["the-secret", "the-token"])
def test_a_repr_of_keys_shows_no_secret(secret: str) -> None:
    assert "the-id" in repr(KEYS)
    assert secret not in f"{KEYS!r} {KEYS}"
