"""A wait as a flow: what ends it, what it rides out, how it meets its deadline, what it says."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    ConfigurationError,
    NoAnswerError,
    PermissionDeniedError,
    ProtocolError,
    ServiceError,
    UnreachableError,
)
from airflow_provider_aegis.client.flows.exchange import Flow, Patience, Send
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import LAST_READ_SECONDS, Ending, Outcome, wait
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge, OnceTaskRef
from airflow_provider_aegis.client.protocol.responses import Response
from tests.fakes import Stage, answer, config, failure

CALL = OnceTaskRef(once_task_id="x", once_task_type="VUL_CHECK_TASK").read()
POLL_INTERVAL = PollInterval(30.0, 300.0)


def state(word: str | None, **more: Any) -> Response:
    info = {"TaskInfo": {"Status": word}} if word else {"TaskInfo": None}
    return answer({"RequestId": "R", **info, **more})


def waited(*replies: Any, **how: Any) -> tuple[Ending, Stage]:
    stage = Stage(config(), replies)
    return stage.run_flow(wait_flow(stage, **how)), stage


def wait_flow(stage: Stage, unknown_grace: float = 300.0, **how: Any) -> Flow[Ending]:
    return wait(stage.config, CALL, judge=OnceTaskJudge(unknown_grace), poll_interval=POLL_INTERVAL, **how)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("SUCCESS", Outcome.SUCCESS), ("FAIL", Outcome.FAILED), ("FAILED", Outcome.FAILED), ("TIMOUT", Outcome.TIMEOUT)],
)
def test_it_ends_as_the_task_does(word: str, outcome: Outcome) -> None:
    ending, stage = waited(state("INIT"), state("START"), state(word))
    assert ending.outcome is outcome
    assert ending.payload["TaskInfo"] == {"Status": word}
    assert len(stage.sent) == 3
    assert all(30 <= nap <= 33 for nap in stage.slept)


def test_the_first_read_can_wait() -> None:
    _, stage = waited(state("SUCCESS"), first_delay=10)
    assert stage.slept == [10]


def test_no_delay_is_longer_than_the_connection_says() -> None:
    stage = Stage(config(max_poll_delay=0.2), [state("START"), state("SUCCESS")])
    stage.run_flow(wait_flow(stage, first_delay=10))
    assert stage.slept == [0.2, 0.2]


@pytest.mark.parametrize(
    "trouble",
    [
        failure("ServerError", 500),
        answer("<html>", 502),
        answer("{", 200),
        failure("Throttling.User", 400, x_acs_retry_after="5000"),
        UnreachableError("name lookup"),
        NoAnswerError("reset"),
    ],
    ids=str,
)
def test_what_may_pass_is_ridden_out_with_one_warning(trouble: Any, caplog: pytest.LogCaptureFixture) -> None:
    ending, stage = waited(state("START"), *[trouble] * 60, state("SUCCESS"))
    assert ending.outcome is Outcome.SUCCESS
    assert len(stage.sent) == 62
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_each_streak_of_trouble_is_told_once_and_its_end_as_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = [failure("ServerError", 500)] * 10
    waited(*trouble, state("START"), *trouble, state("SUCCESS"))
    told = [record.getMessage() for record in caplog.records]
    assert sum("retrying" in text for text in told) == 2
    assert sum("answers again" in text for text in told) == 2


def test_what_no_asking_can_change_ends_it_at_once() -> None:
    stage = Stage(config(), [state("START"), failure("NoPermission", 403)])
    with pytest.raises(PermissionDeniedError):
        stage.run_flow(wait_flow(stage))
    assert len(stage.sent) == 2


def test_even_that_is_ridden_out_if_it_is_asked_for() -> None:
    ending, _ = waited(failure("NoPermission", 403), state("SUCCESS"), patience=Patience.EVERY_ERROR)
    assert ending.outcome is Outcome.SUCCESS


def test_at_the_deadline_it_reads_one_last_time() -> None:
    ending, stage = waited(*[state("START")] * 3, state("SUCCESS"), deadline=70)
    assert ending.outcome is Outcome.SUCCESS
    assert stage.clock.now == 70


def test_after_the_deadline_it_ends_with_what_was_known() -> None:
    ending, stage = waited(*[state("START", FinishCount=1, TotalCount=4)] * 9, deadline=100)
    assert ending.outcome is Outcome.DEADLINE
    assert ending.payload["FinishCount"] == 1
    assert stage.clock.now == 100


def test_the_last_read_takes_no_longer_than_a_moment() -> None:
    def slow(send: Send) -> ServiceError:
        stage.clock.advance(min(send.read_timeout, 60))
        return ServiceError("nothing")

    stage = Stage(config(), [slow] * 30)
    ending = stage.run_flow(wait_flow(stage, deadline=20))
    assert ending.outcome is Outcome.DEADLINE
    assert isinstance(ending.error, ServiceError)
    assert stage.clock.now <= 20 + LAST_READ_SECONDS + 0.1


def test_a_deadline_that_has_passed_still_gets_its_last_read() -> None:
    assert waited(state("SUCCESS"), deadline=-5)[0].outcome is Outcome.SUCCESS
    assert waited(state("START"), deadline=-5)[0].outcome is Outcome.DEADLINE


def test_a_task_that_is_not_known_is_waited_for_and_then_given_up() -> None:
    ending, stage = waited(*[state(None)] * 20, unknown_grace=100)
    assert ending.outcome is Outcome.UNKNOWN_TASK
    assert 100 <= stage.clock.now < 140


def test_the_grace_begins_anew_when_the_task_was_known_in_between() -> None:
    replies = [state(None)] * 3 + [state("START")] + [state(None)] * 3 + [state("SUCCESS")]
    assert waited(*replies, unknown_grace=100)[0].outcome is Outcome.SUCCESS


def test_progress_stretches_the_naps_and_its_end_is_met() -> None:
    def at(send: Send) -> Response:
        now = stage.clock.now
        return state("SUCCESS" if now >= 3000 else "START", FinishCount=int(now), TotalCount=3000)

    stage = Stage(config(), [at] * 100)
    stage.run_flow(wait_flow(stage))
    assert len(stage.sent) <= 25, "fixed polling takes 100"
    assert stage.clock.now < 3060
    assert max(stage.slept) <= 300


def test_each_new_word_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    waited(*[state("ODD")] * 5, *[state("STRANGE")] * 5, *[state("ODD")] * 5, state("SUCCESS"))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2


def test_a_scan_of_half_an_hour_is_told_in_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    waited(state("INIT"), *[state("START")] * 60, state("SUCCESS"))
    assert len(caplog.records) == 3


GOOD = {"RequestId": "R", "TaskInfo": {"Status": "SUCCESS"}}


@pytest.mark.parametrize(
    "ending",
    [
        Ending(Outcome.SUCCESS, GOOD),
        Ending(Outcome.DEADLINE),
        Ending(Outcome.DEADLINE, {}, ServiceError("no", code="ServerError", http_status=500, request_id="R")),
        Ending(Outcome.ERROR, error=PermissionDeniedError("no", ram_actions=["a:B"], detail={"AuthAction": "a:B"})),
        Ending(Outcome.ERROR, error=ProtocolError("no", passing=True)),
        Ending(Outcome.ERROR, error=ConfigurationError("field")),
    ],
    ids=str,
)
def test_an_ending_survives_as_an_event(ending: Ending) -> None:
    again = Ending.from_dict(json.loads(json.dumps(ending.as_dict())))
    assert again.as_dict() == ending.as_dict()
    assert (type(again.error), str(again.error)) == (type(ending.error), str(ending.error))


@pytest.mark.parametrize(
    "event",
    [
        None,
        "success",
        [],
        {},
        {"outcome": None, "payload": {}, "error": None},
        {"outcome": "success", "payload": None, "error": None},
        {"outcome": "error", "payload": {}, "error": None},
        {"outcome": "error", "payload": {}, "error": "text"},
        {"outcome": "error", "payload": {}, "error": {"error_class": "SystemExit", "message": ""}},
    ],
    ids=str,
)
def test_anything_else_is_no_ending(event: Any) -> None:
    with pytest.raises(ValueError, match=r"ending|payload|error|outcome|Outcome"):
        Ending.from_dict(event)
