"""What the operator does if Security Center cannot start its scan now."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConflictError
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.exceptions import OnceTaskDeadlineError
from airflow_provider_aegis.hooks.aegis import AegisHook
from tests.unit.airflow_task import FakeTask
from tests.unit.operators.scans import both_modes, scan, start_elsewhere


@both_modes
def test_wait_starts_ours_when_the_other_is_over(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3)
    other = start_elsewhere()
    task.run(scan(deferrable))
    assert len(sas.started) == 2
    assert task.xcoms["once_task_id"] != other
    assert sas.cancelled == []


@both_modes
def test_wait_ends_at_the_deadline(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    start_elsewhere()
    with pytest.raises(OnceTaskDeadlineError, match="was never started"):
        task.run(scan(deferrable, timeout=0.4))
    assert len(sas.started) == 1
    assert sas.cancelled == []


@both_modes
def test_adopt_watches_the_other_and_never_cancels_it(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    other = start_elsewhere()
    with pytest.raises(OnceTaskDeadlineError):
        task.run(scan(deferrable, on_conflict="adopt", timeout=0.5))
    assert task.xcoms["once_task_id"] == other
    assert task.xcoms["once_task_adopted"] is True
    assert sas.started == [other]
    assert sas.cancelled == []


@both_modes
def test_adopt_returns_the_result_of_the_other(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3)
    start_elsewhere()
    assert task.run(scan(deferrable, on_conflict="adopt"))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 1


def test_an_adopted_scan_is_not_cancelled_on_kill(sas: Emulator, task: FakeTask) -> None:
    start_elsewhere()
    operator = scan(on_conflict="adopt", wait_for_completion=False)()
    operator.execute(task.context)
    operator.on_kill()
    assert sas.cancelled == []


@pytest.mark.parametrize("policy", ["wait", "adopt"])
@both_modes
def test_ten_at_a_time(deferrable: bool, policy: str, sas: Emulator, task: FakeTask) -> None:
    """None of them is of our kind, so there is none to adopt either."""
    sas.set(running_limit=1, seconds=0.3)
    with AegisHook() as hook:
        hook.generate_once_task(once_task_type="IMAGE_SCAN")
    task.run(scan(deferrable, on_conflict=policy))
    assert len(sas.started) == 2
    assert "once_task_adopted" not in task.xcoms


def test_ten_at_a_time_is_a_clear_error(sas: Emulator, task: FakeTask) -> None:
    sas.set(running_limit=0)
    with pytest.raises(ConflictError, match=r"10 at a time.*CanCreate=false"):
        task.run(scan(on_conflict="fail"))


@both_modes
def test_the_frequency_limit_is_waited_for(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    collection: dict[str, Any] = {"once_task_type": "ASSETS_COLLECTION"}
    sas.set(seconds=0.1)
    task.run(scan(**collection))
    task.store = None
    sas.set(collection_period=0.5)
    with pytest.raises(ConflictError, match="AssetsCollectionFrequencyLimit"):
        task.run(scan(deferrable, on_conflict="fail", **collection))
    task.run(scan(deferrable, **collection))
    assert len(sas.started) == 2


@both_modes
@pytest.mark.parametrize("word", ["SUCCESS", "FAIL"])
def test_adopt_does_not_take_a_scan_that_ended(deferrable: bool, word: str, sas: Emulator, task: FakeTask) -> None:
    """Ten run, none of them of our kind; the last of our kind ended long ago."""
    old = start_elsewhere()
    sas.finish(old, word)
    sas.set(running_limit=1, seconds=0.3)
    start_elsewhere(once_task_type="IMAGE_SCAN")
    assert task.run(scan(deferrable, on_conflict="adopt"))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 3
    assert task.xcoms["once_task_id"] == sas.started[-1]
    assert "once_task_adopted" not in task.xcoms
