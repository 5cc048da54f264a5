"""A scan is found again by the source of its submission; what only its time tells is watched and never cancelled."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.exceptions import OnceTaskDeadlineError
from airflow_provider_aegis.operators.submission_store import KEY
from tests.unit.airflow_task import FakeStore, FakeTask
from tests.unit.operators.scans import CANCEL, SCAN, START, both_modes, scan, start_elsewhere
from tests.unit.operators.test_once_task_never_twice import run_until_killed

AFTER_THE_START = "airflow_provider_aegis.operators.scan.Scan._keep"
# DescribeOnceTask does not list this one.
UNLISTED = "IMAGE_SCAN"

each_filter = pytest.mark.parametrize("source_filter", ["honoured", "ignored", "refused"])
unfiltered = pytest.mark.parametrize("source_filter", ["ignored", "refused"])


def sources(sas: Emulator) -> list[str]:
    return [line.params.get("Source", "") for line in sas.log if line.action == START]


def stored(task: FakeTask) -> dict[str, Any]:
    assert task.store is not None
    note: dict[str, Any] = task.store[KEY]
    return note


def test_a_start_has_a_source_of_its_own_that_is_stored_before(sas: Emulator, task: FakeTask) -> None:
    for _ in range(2):
        run_until_killed(task, scan(), "airflow_provider_aegis.operators.scan.submit")
        before = stored(task)["source"]
        assert re.fullmatch("airflow:[0-9a-f]{16}", before)
        task.run(scan(wait_for_completion=False))
        assert sources(sas)[-1] == stored(task)["source"] != before
        sas.finish(sas.started[-1])
        task.max_tries += 1
    assert len(set(sources(sas))) == 2


def test_the_users_own_source_is_sent_as_it_is(sas: Emulator, task: FakeTask) -> None:
    task.run(scan(source="nightly", wait_for_completion=False))
    assert sources(sas) == ["nightly"]
    assert stored(task)["source"] == ""


def test_a_refused_source_is_left_out(sas: Emulator, task: FakeTask) -> None:
    sas.set(source_filter="refused", seconds=0.1)
    assert task.run(scan())["TaskInfo"]["Status"] == "SUCCESS"
    own, none = sources(sas)
    assert own.startswith("airflow:")
    assert none == ""
    assert len(sas.started) == 1


@both_modes
@each_filter
@pytest.mark.parametrize("kind", [SCAN, UNLISTED])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_scan_whose_start_got_no_answer_is_found(
    deferrable: bool, source_filter: str, kind: str, earlier: bool, sas: Emulator, task: FakeTask
) -> None:
    if earlier:
        sas.finish(start_elsewhere(once_task_type=kind))
    sas.set(source_filter=source_filter, result_task_id="hex", seconds=0.3)
    if source_filter == "refused":
        sas.inject(START, Fault.error("InvalidParameter"), times=1)
        sas.inject(START, Fault.reset(after=True), times=1)
    else:
        sas.inject(START, Fault.reset(after=True), times=1)
    assert task.run(scan(deferrable, once_task_type=kind))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 1 + earlier
    assert task.xcoms["once_task_id"] == sas.started[-1]
    assert ("once_task_adopted" in task.xcoms) == (source_filter != "honoured")


def test_a_start_that_is_retried_for_longer_than_the_window_is_one_scan(
    sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_aegis.client.flows.find_submitted.SUBMIT_WINDOW_SECONDS", -10.0)
    for source_filter in ("honoured", "ignored"):
        sas.set(source_filter=source_filter, seconds=0.2, result_task_id="hex")
        sas.inject(START, Fault.throttled(retry_after=0.01), times=3)
        sas.inject(START, Fault.reset(after=True), times=1)
        task.run(scan())
        task.max_tries += 1
    assert len(sas.started) == 2


def clear(task: FakeTask) -> None:
    """Clear the task while it does not run."""
    task.max_tries += 1


@both_modes
@unfiltered
def test_a_colleagues_scan_that_only_its_time_tells_is_never_cancelled(
    deferrable: bool, source_filter: str, sas: Emulator, task: FakeTask
) -> None:
    run_until_killed(task, scan(source="mine"), "airflow_provider_aegis.operators.scan.submit")
    theirs = start_elsewhere()
    sas.set(source_filter=source_filter)
    with pytest.raises(OnceTaskDeadlineError):
        task.run(scan(deferrable, source="mine", timeout=0.5))
    assert task.xcoms["once_task_id"] == theirs
    assert task.xcoms["once_task_adopted"] is True
    assert sas.started == [theirs]
    assert sas.cancelled == []


def test_a_colleagues_scan_within_the_window_is_not_taken_for_ours(sas: Emulator, task: FakeTask) -> None:
    run_until_killed(task, scan(), "airflow_provider_aegis.operators.scan.submit")
    theirs = start_elsewhere()
    with pytest.raises(OnceTaskDeadlineError, match="was never started"):
        task.run(scan(timeout=0.3))
    assert sas.started == [theirs]
    assert sas.cancelled == []


@both_modes
def test_killed_within_the_start_and_then_cleared(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    run_until_killed(task, scan(), AFTER_THE_START)
    clear(task)
    sas.set(seconds=0.2)
    task.run(scan(deferrable))
    assert len(sas.started) == 2
    assert sas.cancelled == sas.started[:1], "the old one is found by its source"


@both_modes
def test_cleared_while_the_answer_to_the_start_is_on_its_way(
    deferrable: bool, sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clear gives the task another instance: what the old process writes is answered 404."""

    class NotFoundError(Exception):
        pass

    write = FakeStore.set

    def write_for_the_living(store: FakeStore, key: str, value: Any, **kwargs: Any) -> None:
        if value["once_task_id"]:
            raise NotFoundError
        write(store, key, value, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(FakeStore, "set", write_for_the_living)
        with pytest.raises(NotFoundError):
            task.run(scan())
    sas.finish(sas.started[0])
    task.run(scan(deferrable))
    assert len(sas.started) == 1
    assert task.xcoms["once_task_id"] == sas.started[0]


@both_modes
def test_clearing_another_task_of_the_run_changes_nothing(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    run_until_killed(task, scan(), "airflow_provider_aegis.operators.once_task.AegisOnceTaskOperator._await_end")
    task.clear_number += 1
    sas.finish(sas.started[0])
    task.run(scan(deferrable))
    assert len(sas.started) == 1
    assert sas.cancelled == []


def test_a_scan_that_was_found_failed_is_followed_by_another(sas: Emulator, task: FakeTask) -> None:
    run_until_killed(task, scan(), AFTER_THE_START)
    sas.finish(sas.started[0], "FAIL")
    sas.set(seconds=0.1)
    assert task.run(scan())["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 2


@both_modes
def test_clearing_a_task_whose_scan_succeeded_cancels_nothing(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.1)
    task.run(scan(deferrable))
    assert stored(task)["ended"] is True
    clear(task)
    task.run(scan(deferrable))
    assert len(sas.started) == 2
    assert sas.requests[CANCEL] == 0


@pytest.mark.parametrize("word", ["SUCCESS", "FAIL", "TIMEOUT"])
def test_a_scan_that_ended_after_its_task_was_killed_is_not_cancelled_by_a_clear(
    word: str, sas: Emulator, task: FakeTask
) -> None:
    task.run(scan(wait_for_completion=False))
    sas.finish(sas.started[0], word)
    clear(task)
    sas.set(seconds=0.1)
    task.run(scan())
    assert len(sas.started) == 2
    assert sas.requests[CANCEL] == 0


def test_a_retry_after_a_success_starts_nothing(sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.1)
    task.run(scan())
    assert task.run(scan())["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 1
