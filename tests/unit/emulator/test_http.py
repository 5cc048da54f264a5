from __future__ import annotations

import json

from airflow_provider_aegis.emulator.http import Request, json_response, new_request_id


def test_parameters_are_decoded_with_a_plus_as_a_space_and_empty_ones_kept() -> None:
    request = Request(method="GET", query="A=1+2&B=1%2B2&C=&D=%C3%A4")
    assert request.pairs == [("A", "1 2"), ("B", "1+2"), ("C", ""), ("D", "ä")]


def test_a_request_without_an_action_has_an_empty_one() -> None:
    assert Request(method="GET").action == ""


def test_a_request_does_not_show_its_headers() -> None:
    assert "Signature" not in repr(Request(method="GET", headers={"authorization": "Signature=abc"}))


def test_an_answer_names_its_request_id_in_the_header_too() -> None:
    request_id = new_request_id()
    reply = json_response({"RequestId": request_id, "Name": "ä"}, status=400, code="X")
    assert json.loads(reply.body) == {"RequestId": request_id, "Name": "ä"}
    assert reply.headers["x-acs-request-id"] == request_id
    assert reply.headers["Content-Type"].startswith("application/json")
    assert (reply.status, reply.code, reply.hangup) == (400, "X", "")


def test_request_ids_are_upper_case_and_differ() -> None:
    first, second = new_request_id(), new_request_id()
    assert first != second
    assert first == first.upper()
