"""A start whose answer got lost: the scan is found, or started once more, or left to a human."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.errors import (
    NoAnswerError,
    OutcomeUnknownError,
    ProtocolError,
    SecurityCenterError,
)
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.operators.submission_store import KEY
from tests.unit.airflow_task import FakeTask
from tests.unit.operators.scans import READ, START, both_modes, scan, start_elsewhere

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
    sas.inject(START, Fault.error(code), times=2)
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
