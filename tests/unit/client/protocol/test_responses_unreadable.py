"""What is no answer of the service: no JSON, none that can be kept, or another server's."""

from __future__ import annotations

import json

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_aegis.client.errors import ProtocolError, ThrottledError
from airflow_provider_aegis.client.protocol.responses import MAX_DEPTH, Response, read_response
from tests.fakes import READ, answer

HTML = "<html><body>502 Bad Gateway</body></html>"

NO_ANSWERS: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n",
    "HTML": HTML.encode(),
    "HTML with a doctype": b"\n<!DOCTYPE html><html></html>",
    "XML": b'<?xml version="1.0"?><Error/>',
    "text": b"upstream connect error",
    "cut short": b'{"RequestId": "R", "TaskInfo": {"Sta',
    "two objects": b"{}{}",
    "a list": b'[{"Status": "SUCCESS"}]',
    "a text": b'"SUCCESS"',
    "a number": b"200",
    "null": b"null",
    "NaN": b'{"TotalCount": NaN}',
    "Infinity": b'{"TotalCount": -Infinity}',
    "a number that overflows": b'{"TotalCount": 1e999}',
    "a number of too many digits": b'{"TotalCount": ' + b"9" * 5000 + b"}",
    "lists nested deeply": b'{"A": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects nested deeply": b'{"A": ' * 100_000 + b"1" + b"}" * 100_000,
    "brackets without end": b"[" * 100_000,
    "bytes that are no text": b'{"A": "\xff\xfe"}',
    "zeros": b"\x00" * 100,
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=list(NO_ANSWERS))
@pytest.mark.parametrize(
    ("status", "transient"),
    [(200, True), (400, False), (403, False), (404, False), (408, True), (500, True), (502, True)],
)
def test_what_is_no_json_object_is_a_protocol_error_that_keeps_status_and_request_id(
    body: bytes, status: int, transient: bool
) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_response(answer(body, status, x_acs_request_id="H-1"), READ)
    error = caught.value
    assert (error.action, error.http_status, error.request_id) == ("GetOnceTaskResultInfo", status, "H-1")
    assert error.transient is transient


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=list(NO_ANSWERS))
@pytest.mark.parametrize(("status", "milliseconds", "seconds"), [(429, "", None), (429, "40", 0.04), (503, "40", 0.04)])
def test_a_gateway_that_asks_to_wait_is_heard_without_json(
    body: bytes, status: int, milliseconds: str, seconds: float | None
) -> None:
    with pytest.raises(ThrottledError, match="the answer is") as caught:
        read_response(answer(body, status, x_acs_request_id="H-1", x_acs_retry_after=milliseconds), READ)
    error = caught.value
    assert (error.retry_after, error.http_status, error.request_id) == (seconds, status, "H-1")
    assert error.refused is (status == 429), "a failure leaves a write in doubt"


@pytest.mark.parametrize("body", [HTML, "<html", "\n <!DOCTYPE html>", "<HTML>"])
def test_html_is_called_by_its_name(body: str) -> None:
    with pytest.raises(ProtocolError, match="is HTML"):
        read_response(answer(body, 502), READ)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("body", [b"", b"{}", HTML.encode()], ids=["empty", "JSON", "HTML"])
def test_a_redirect_is_refused(status: int, body: bytes) -> None:
    with pytest.raises(ProtocolError, match="redirect") as caught:
        read_response(answer(body, status, location="https://evil.example/"), READ)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(b"[" * 10_000, "nested too deeply", id="arrays"),
        pytest.param(b'{"a":' * 10_000, "nested too deeply", id="objects"),
        pytest.param(
            b'{"a": ' + b"9" * 5000 + b"}", "it contains a number that is too large", id="an int of 5000 digits"
        ),
        pytest.param(b'{"a": 1e999999999}', "it contains a number that is too large", id="a huge exponent"),
        pytest.param(b'{"a": NaN}', "it contains a number that is too large, or NaN", id="not a number"),
        pytest.param(b'{"a": "\xff"}', "not utf-8 text", id="no UTF-8"),
        pytest.param(b'{"a": "', "not JSON, or cut short", id="cut short"),
    ],
)
def test_the_error_says_why_a_body_cannot_be_read(body: bytes, named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        read_response(Response(200, {}, body), READ)


def nested(levels: int, opening: str, closing: str) -> bytes:
    return f'{{"a": {opening * (levels - 1)}0{closing * (levels - 1)}}}'.encode()


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ('[1, "[", ', "]"), ('{"a": 1, "b": ', "}")],
    ids=["lists", "wide lists", "objects"],
)
def test_nesting_is_bounded_where_airflow_can_store_it(opening: str, closing: str) -> None:
    payload = read_response(Response(200, {}, nested(MAX_DEPTH, opening, closing)), READ)
    assert BaseSerialization.deserialize(json.loads(json.dumps(BaseSerialization.serialize(payload)))) == payload
    with pytest.raises(ProtocolError, match="nested too deeply"):
        read_response(Response(200, {}, nested(MAX_DEPTH + 1, opening, closing)), READ)


def test_what_is_wide_or_full_of_brackets_is_not_deep() -> None:
    payload = {"List": [{"Path": "[" * 200}] * 200}
    assert read_response(answer(payload), READ) == payload
