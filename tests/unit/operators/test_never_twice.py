"""One task, one scan: whatever dies between the tries, and whatever answer gets lost."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    NoAnswerError,
    OutcomeUnknownError,
    ProtocolError,
    SecurityCenterError,
)
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.exceptions import OnceTaskDeadlineError
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.submission import KEY
from tests.unit.airflow_task import FakeTask, Make
from tests.unit.operators.test_once_task import READ, SCAN, START, both_modes, scan


class Killed(BaseException):
    """The process dies here."""


def die(*_: Any, **__: Any) -> Any:
    raise Killed


def run_until_killed(task: FakeTask, make: Make, where: str) -> None:
    """Run a try that dies where it would call this function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, die)
        with pytest.raises(Killed):
            task.run(make)


def start_elsewhere(**kwargs: Any) -> str:
    with AegisHook() as hook:
        once_task_id: str = hook.generate_once_task(once_task_type=SCAN, **kwargs)["TaskId"]
        return once_task_id


# --- the process dies


@both_modes
def test_killed_before_the_start(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.2)
    run_until_killed(task, scan(deferrable), "airflow_provider_aegis.operators.scan.start")
    assert task.store is not None
    assert task.store[KEY]["once_task_id"] == ""
    task.run(scan(deferrable))
    assert len(sas.started) == 1


@both_modes
def test_killed_between_start_and_store(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    run_until_killed(task, scan(deferrable), "airflow_provider_aegis.operators.scan.Scan._keep")
    assert task.store is not None
    assert task.store[KEY]["once_task_id"] == ""
    sas.finish(sas.started[0])
    assert task.run(scan(deferrable))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 1
    assert task.xcoms["once_task_id"] == sas.started[0]
    assert "once_task_adopted" not in task.xcoms, "it is our own"


@both_modes
@pytest.mark.parametrize("ended_meanwhile", [False, True])
def test_killed_after_the_store(deferrable: bool, ended_meanwhile: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3)
    run_until_killed(
        task, scan(deferrable), "airflow_provider_aegis.operators.once_task.AegisOnceTaskOperator._await_end"
    )
    if ended_meanwhile:
        sas.finish(sas.started[0])
    assert task.run(scan(deferrable))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 1


def test_a_stored_scan_that_is_not_known_yet_is_not_started_again(sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3, unknown_for=0.2)
    run_until_killed(task, scan(), "airflow_provider_aegis.operators.once_task.AegisOnceTaskOperator._await_end")
    task.run(scan())
    assert len(sas.started) == 1


@both_modes
@pytest.mark.parametrize("word", ["FAIL", "TIMEOUT"])
def test_a_stored_scan_that_failed_is_followed_by_a_new_one(
    deferrable: bool, word: str, sas: Emulator, task: FakeTask
) -> None:
    task.run(scan(wait_for_completion=False))
    sas.finish(sas.started[0], word)
    sas.set(seconds=0.1)
    task.run(scan(deferrable))
    assert len(sas.started) == 2


@both_modes
def test_a_scan_that_was_cancelled_at_the_deadline_is_not_picked_up_again(
    deferrable: bool, sas: Emulator, task: FakeTask
) -> None:
    """Nobody documents what status a cancelled scan has: it may look as if it ran."""
    sas.set(cancelled_status="PROCESSING")
    with pytest.raises(OnceTaskDeadlineError):
        task.run(scan(deferrable, timeout=0.3))
    sas.set(seconds=0.1)
    task.run(scan(deferrable, timeout=5))
    assert len(sas.started) == 2


def test_a_stored_scan_that_got_lost_is_followed_by_a_new_one(sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    assert task.store
    task.store[KEY] |= {"once_task_id": "nobody-knows-it", "since": 1.0}
    sas.finish(sas.started[0])
    sas.set(seconds=0.1)
    task.run(scan())
    assert len(sas.started) == 2


@both_modes
def test_other_parameters_are_another_scan(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    sas.set(seconds=0.1)
    task.run(scan(deferrable, param={"other": 1}))
    assert len(sas.started) == 2
    assert sas.cancelled == sas.started[:1], "nobody waits for the first one any more"


@both_modes
@pytest.mark.parametrize("how", ["max_tries", "clear_number"])
def test_a_cleared_task_starts_afresh(deferrable: bool, how: str, sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    setattr(task, how, getattr(task, how) + 1)
    sas.set(seconds=0.1)
    task.run(scan(deferrable))
    assert len(sas.started) == 2
    assert sas.cancelled == sas.started[:1]


def test_without_a_store_every_try_starts_a_scan(sas: Emulator, task: FakeTask) -> None:
    """Below Airflow 3.3 nothing outlives a try."""
    task.store = None
    sas.set(seconds=0.1)
    task.run(scan())
    task.run(scan())
    assert len(sas.started) == 2


def test_a_note_of_another_version_is_not_read(sas: Emulator, task: FakeTask) -> None:
    assert task.store is not None
    task.store[KEY] = {"written": "by another version"}
    sas.set(seconds=0.1)
    task.run(scan())
    assert len(sas.started) == 1


# --- the answer gets lost

LOST = {
    "reset": Fault.reset(after=True),
    "server error": Fault.error("ServerError", status=500, after=True),
    "html": Fault.html(after=True),
    "broken": Fault.broken(after=True),
    "truncated": Fault.truncated(after=True),
    "halfway": Fault.halfway(after=True),
    "nonce": Fault.error("SignatureNonceUsed", status=400, after=True),
}
NEVER_ARRIVED = {
    "reset": Fault.reset(),
    "server error": Fault.error("ServerError", status=500),
    "html": Fault.html(),
}


@both_modes
@pytest.mark.parametrize("fault", LOST.values(), ids=list(LOST))
def test_a_start_whose_answer_is_lost_is_found(deferrable: bool, fault: Fault, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.5)
    sas.inject(START, fault, times=1)
    assert task.run(scan(deferrable))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 1
    assert sas.requests[START] == 1
    assert task.xcoms["once_task_id"] == sas.started[0]


@pytest.mark.parametrize("result_task_id", ["zero", "hex", "absent"])
@pytest.mark.parametrize("earlier", [False, True])
def test_it_is_found_by_whatever_the_service_tells(
    result_task_id: str, earlier: bool, sas: Emulator, task: FakeTask
) -> None:
    sas.set(result_task_id=result_task_id)
    if earlier:
        sas.finish(start_elsewhere())
    sas.set(seconds=0.5)
    sas.inject(START, Fault.reset(after=True), times=1)
    task.run(scan())
    assert len(sas.started) == 1 + earlier
    assert task.xcoms["once_task_id"] == sas.started[-1]


@both_modes
@pytest.mark.parametrize("fault", NEVER_ARRIVED.values(), ids=list(NEVER_ARRIVED))
def test_a_start_that_never_arrived_is_made_once_more(
    deferrable: bool, fault: Fault, sas: Emulator, task: FakeTask
) -> None:
    sas.finish(start_elsewhere())
    sas.set(seconds=0.3)
    sas.inject(START, fault, times=1)
    task.run(scan(deferrable))
    assert len(sas.started) == 2, "the earlier one is not taken for ours"
    assert sas.requests[START] == 3


def test_a_start_that_never_arrives_is_not_made_a_third_time(sas: Emulator, task: FakeTask) -> None:
    sas.inject(START, Fault.reset(), times=5)
    with pytest.raises(OutcomeUnknownError) as caught:
        task.run(scan())
    assert caught.value.cause_class == NoAnswerError.__name__
    assert sas.requests[START] == 2
    assert task.store is not None
    assert KEY in task.store, "the next try looks again"


def test_an_answer_without_an_id_is_looked_after(sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3)
    sas.inject(START, Fault.error("", status=200, after=True), times=1)
    task.run(scan())
    assert len(sas.started) == 1


def test_if_the_answers_cannot_tell_it_fails_with_what_to_check(sas: Emulator, task: FakeTask) -> None:
    for action in ("DescribeOnceTask", "ListUnfinishedOnceTask"):
        sas.inject(action, Fault.error("NoPermission", status=403), times=10)
    sas.inject(START, Fault.reset(after=True), times=1)
    with pytest.raises(OutcomeUnknownError, match="Look at the tasks in the console"):
        task.run(scan())
    assert len(sas.started) == 1
    assert sas.requests[START] == 1


DOWN = Fault.error("ServiceUnavailable", status=503)


@both_modes
def test_an_outage_around_the_start_is_ridden_out(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    """The answer to the start is lost, and for a while nobody can be asked what became of it."""
    sas.set(seconds=0.5)
    sas.inject("GetLastOnceTaskInfo", DOWN, times=12)
    sas.inject(START, Fault.reset(after=True), times=1)
    sas.inject("DescribeOnceTask", DOWN, times=12)
    task.run(scan(deferrable))
    assert len(sas.started) == 1
    assert task.xcoms["once_task_id"] == sas.started[0]


def test_a_throttled_start_waits(sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.1)
    sas.inject(START, Fault.throttled(retry_after=0.001), times=9)
    task.run(scan())
    assert len(sas.started) == 1


def test_if_nobody_can_be_asked_until_the_deadline_the_next_try_looks_again(sas: Emulator, task: FakeTask) -> None:
    sas.inject(START, Fault.reset(after=True), times=1)
    sas.inject("DescribeOnceTask", DOWN, times=10_000)
    with pytest.raises(OutcomeUnknownError, match="could not be asked"):
        task.run(scan(timeout=0.5))
    sas.heal()
    sas.finish(sas.started[0])
    task.run(scan())
    assert len(sas.started) == 1


def test_an_answer_that_names_no_task_twice_leaves_the_intent(sas: Emulator, task: FakeTask) -> None:
    sas.inject(START, Fault.error("", status=200), times=2)
    with pytest.raises(ProtocolError):
        task.run(scan())
    assert task.store is not None
    assert KEY in task.store


@pytest.mark.parametrize("code", ["NoPermission", "InvalidParameter"])
def test_a_start_that_was_refused_leaves_nothing_to_look_for(code: str, sas: Emulator, task: FakeTask) -> None:
    sas.inject(START, Fault.error(code), times=1)
    with pytest.raises(SecurityCenterError, match=code):
        task.run(scan())
    assert task.store == {}


def test_a_missing_permission_to_look_does_not_keep_a_scan_from_starting(sas: Emulator, task: FakeTask) -> None:
    sas.set(denied=["GetLastOnceTaskInfo"], seconds=0.1)
    assert task.run(scan())["TaskInfo"]["Status"] == "SUCCESS"


@pytest.mark.parametrize("skew", [-600, 600])
def test_the_clocks_need_not_agree(skew: int, sas: Emulator, task: FakeTask) -> None:
    sas.finish(start_elsewhere())
    sas.set(seconds=0.5, clock_skew=skew)
    sas.inject(START, Fault.reset(after=True), times=1)
    task.run(scan())
    assert len(sas.started) == 2


def test_an_empty_task_id_is_a_clear_error_where_nothing_can_be_found(sas: Emulator, task: FakeTask) -> None:
    sas.inject(START, Fault.error("", status=200), times=5)
    with pytest.raises(ProtocolError, match="names no TaskId"):
        task.run(scan())
    assert sas.requests[READ] == 0
