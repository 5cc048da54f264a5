from __future__ import annotations

import json

import pytest

from airflow_provider_aegis.emulator.faults import KINDS, NO_FAULT, Fault, FaultPlan
from airflow_provider_aegis.emulator.http import HttpResponse, Request, json_response

REQUEST = Request(method="POST", headers={"host": "127.0.0.1:8765"})
ANSWER = json_response({"RequestId": "R", "TaskId": "T"})

ONE_OF_EACH = [
    Fault.error("ServerError", status=503, message="later", headers={"a": "b"}, after=True, delay=1),
    Fault.throttled(retry_after=1.5),
    Fault.html(),
    Fault.broken(),
    Fault.truncated(),
    Fault.not_object(),
    Fault.too_long(),
    Fault.redirect(),
    Fault.reset(),
    Fault.halfway(),
    Fault.delayed(2),
]


def test_there_is_a_way_to_make_each_kind() -> None:
    assert {fault.kind for fault in ONE_OF_EACH} == KINDS.keys()


@pytest.mark.parametrize("fault", ONE_OF_EACH, ids=lambda fault: fault.kind)
def test_it_goes_through_json_unchanged(fault: Fault) -> None:
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault


@pytest.mark.parametrize("data", [{}, {"kind": "unheard"}, {"kind": "reset", "unheard": 1}])
def test_what_is_no_fault_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="fault"):
        Fault.from_json(data)


def test_an_error_has_the_status_and_words_of_its_code() -> None:
    reply = Fault.error("ServiceUnavailable").spoil(REQUEST, None)
    assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    assert json.loads(reply.body)["Code"] == "ServiceUnavailable"


def test_an_error_may_say_something_else() -> None:
    reply = Fault.error("ServerError", status=200, message="hm", headers={"x-acs-retry-after": "7"}).spoil(
        REQUEST, None
    )
    assert (reply.status, json.loads(reply.body)["Message"]) == (200, "hm")
    assert reply.headers["x-acs-retry-after"] == "7"


def test_throttling_asks_to_wait_in_milliseconds() -> None:
    assert Fault.throttled(retry_after=1.5).spoil(REQUEST, None).headers["x-acs-retry-after"] == "1500"
    bare = Fault.throttled(code="Throttling").spoil(REQUEST, None)
    assert (bare.status, bare.code, "x-acs-retry-after" in bare.headers) == (400, "Throttling", False)


def test_a_gateway_answers_with_a_page() -> None:
    reply = Fault.html().spoil(REQUEST, None)
    assert reply.status == 502
    assert reply.body.startswith(b"<!DOCTYPE html>")
    assert reply.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize("answer", [ANSWER, None])
def test_broken_and_truncated_answers_are_not_json(answer: HttpResponse | None) -> None:
    for fault in (Fault.broken(), Fault.truncated()):
        with pytest.raises(json.JSONDecodeError):
            json.loads(fault.spoil(REQUEST, answer).body)


def test_a_truncated_answer_is_the_true_one_cut_off() -> None:
    body = Fault.truncated(after=True).spoil(REQUEST, ANSWER).body
    assert body
    assert ANSWER.body.startswith(body)
    assert len(body) < len(ANSWER.body)


def test_a_list_is_json_and_not_an_object() -> None:
    assert json.loads(Fault.not_object().spoil(REQUEST, None).body) == ["RequestId"]


@pytest.mark.parametrize("size", [100, 8 * 1024 * 1024 + 1])
def test_a_long_answer_is_valid_json_of_the_given_length(size: int) -> None:
    body = Fault.too_long(size=size).spoil(REQUEST, None).body
    assert len(body) == size
    assert json.loads(body).keys() == {"RequestId"}


def test_a_long_answer_is_beyond_eight_mebibytes_by_itself() -> None:
    assert len(Fault.too_long().spoil(REQUEST, None).body) > 8 * 1024 * 1024


def test_a_redirect_points_to_another_host() -> None:
    reply = Fault.redirect().spoil(REQUEST, None)
    assert (reply.status, reply.headers["Location"]) == (302, "http://elsewhere.invalid/")


def test_connections_end_at_once_or_halfway() -> None:
    assert Fault.reset().spoil(REQUEST, None).hangup == "reset"
    halfway = Fault.halfway().spoil(REQUEST, ANSWER)
    assert (halfway.hangup, halfway.body) == ("halfway", ANSWER.body)


def test_a_delay_keeps_the_true_answer() -> None:
    assert Fault.delayed(3).spoil(REQUEST, ANSWER) is ANSWER
    assert Fault.delayed(3).delay == 3


def test_only_delays_and_what_comes_after_let_a_request_through() -> None:
    assert NO_FAULT.lets_through
    assert Fault.delayed(1).lets_through
    assert Fault.reset(after=True).lets_through
    assert not Fault.reset().lets_through
    assert not Fault.error("ServerError").lets_through


def test_a_fault_hits_the_next_requests_of_its_action_alone() -> None:
    plan, fault = FaultPlan(), Fault.reset()
    plan.inject("A", fault, times=2, until=None)
    assert plan.pick("B", now=0) is NO_FAULT
    assert [plan.pick("A", now=0) for _ in range(3)] == [fault, fault, NO_FAULT]


def test_a_fault_for_any_action_hits_every_one() -> None:
    plan, fault = FaultPlan(), Fault.reset()
    plan.inject("*", fault, times=None, until=None)
    assert [plan.pick(action, now=0) for action in "ABA"] == [fault] * 3


def test_a_fault_ends_when_its_time_is_over() -> None:
    plan, fault = FaultPlan(), Fault.reset()
    plan.inject("A", fault, times=None, until=30)
    assert [plan.pick("A", now=now) for now in (0, 29.9, 30, 31)] == [fault, fault, NO_FAULT, NO_FAULT]


def test_a_probability_is_the_share_of_requests_that_are_hit() -> None:
    plan = FaultPlan()
    plan.inject("A", Fault.reset(), times=None, until=None, probability=0.5)
    hit = sum(plan.pick("A", now=0) is not NO_FAULT for _ in range(1000))
    assert 430 < hit < 570


def test_chances_repeat_with_the_run() -> None:
    def run() -> list[bool]:
        plan = FaultPlan()
        plan.inject("A", Fault.reset(), times=None, until=None, probability=0.5)
        return [plan.pick("A", now=0) is NO_FAULT for _ in range(50)]

    assert run() == run()


def test_several_faults_follow_one_another() -> None:
    plan, first, second = FaultPlan(), Fault.reset(), Fault.html()
    plan.inject("A", first, times=1, until=None)
    plan.inject("*", second, times=1, until=None)
    assert [plan.pick("A", now=0) for _ in range(3)] == [first, second, NO_FAULT]
