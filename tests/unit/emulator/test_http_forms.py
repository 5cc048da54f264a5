"""Parameters may come as a form in the body, as some of the API's operations want it."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from airflow_provider_aegis.client.protocol.signing import canonical_query, sha256_hex, signed_headers
from airflow_provider_aegis.client.protocol.wire import FORM
from airflow_provider_aegis.emulator.http import Request
from tests.unit.emulator.support import KIND, Caller, date_of, make_caller, with_header


def form_request(
    caller: Caller, body: bytes, *, query: str = "", action: str = "GetOnceTaskResultInfo", content_type: str = FORM
) -> Request:
    headers = signed_headers(
        method="POST",
        host="127.0.0.1:8765",
        query=query,
        action=action,
        version="2018-12-03",
        date=date_of(caller.clock.time()),
        nonce=uuid.uuid4().hex,
        credentials=caller.credentials,
        body=body,
        content_type=content_type,
    )
    return Request(method="POST", query=query, headers=headers, body=body)


@pytest.mark.parametrize("content_type", [FORM, f"{FORM.title()}; charset=utf-8"])
def test_query_and_form_are_put_together(content_type: str) -> None:
    caller = make_caller()
    task_id = caller.start()
    query = canonical_query(KIND)
    answered = caller.judge(form_request(caller, f"TaskId={task_id}".encode(), query=query, content_type=content_type))
    assert (answered.status, answered.payload["TaskInfo"]) == (200, {"Status": "INIT"})
    assert caller.account.log()[-1]["params"] == {**KIND, "TaskId": task_id}


def test_a_form_is_decoded() -> None:
    request = form_request(make_caller(), b"A=1+2&B=1%2B2&C=&D=%C3%A4", query="E=5")
    assert request.pairs == [("E", "5"), ("A", "1 2"), ("B", "1+2"), ("C", ""), ("D", "ä")]
    assert request.query_pairs == [("E", "5")]


def test_a_body_that_is_no_form_has_no_parameters() -> None:
    assert form_request(make_caller(), b'{"A": 1}', content_type="application/json").pairs == []
    assert form_request(make_caller(), b"\xff\xfe", content_type=FORM).pairs == [("��", "")]


@pytest.mark.parametrize("headers", [{}, {"x-acs-content-sha256": sha256_hex(b"TaskId=forged")}], ids=["", "hashed"])
def test_a_form_that_was_not_signed_is_refused(headers: dict[str, str]) -> None:
    caller = make_caller()
    signed = form_request(caller, b"TaskId=1")
    forged = replace(signed, body=b"TaskId=forged", headers={**signed.headers, **headers})
    assert caller.judge(forged).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(("query", "body"), [("TaskId=1", b"TaskId=2"), ("", b"TaskId=1&TaskId=2")])
def test_a_name_can_be_given_once(query: str, body: bytes) -> None:
    caller = make_caller()
    assert caller.judge(form_request(caller, body, query=query)).code == "SignatureDoesNotMatch"


def test_the_content_type_of_a_body_has_to_be_signed() -> None:
    caller = make_caller()
    request = form_request(caller, b"TaskId=1", content_type="")
    refused = caller.judge(with_header(request, "content-type", FORM))
    assert (refused.code, refused.payload["Message"]) == ("IncompleteSignature", "Not signed: content-type.")
