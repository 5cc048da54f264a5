"""One task, one scan: whatever dies between the tries."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.exceptions import OnceTaskDeadlineError, OnceTaskFailedError
from airflow_provider_aegis.operators.submission_store import KEY
from tests.unit.airflow_task import FakeStore, FakeTask, Make
from tests.unit.operators.scans import both_modes, scan


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


@both_modes
def test_killed_before_the_start(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.2)
    run_until_killed(task, scan(deferrable), "airflow_provider_aegis.operators.scan.submit")
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
def test_a_cleared_task_starts_afresh(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    task.max_tries += 1
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


@pytest.mark.parametrize("word", ["SUCCESS", "FAIL"])
def test_a_store_that_fails_at_the_end_does_not_change_how_the_scan_ended(
    word: str, sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the api-server is away")

    write = FakeStore.set
    sas.set(seconds=0.1, outcome=word)

    def set_until_started(store: FakeStore, key: str, value: Any, **kwargs: Any) -> None:
        write(store, key, value, **kwargs)
        if value["once_task_id"]:
            monkeypatch.setattr(FakeStore, "set", fail)
            monkeypatch.setattr(FakeStore, "delete", fail)

    monkeypatch.setattr(FakeStore, "set", set_until_started)
    if word == "SUCCESS":
        assert task.run(scan())["TaskInfo"]["Status"] == word
    else:
        with pytest.raises(OnceTaskFailedError):
            task.run(scan())
