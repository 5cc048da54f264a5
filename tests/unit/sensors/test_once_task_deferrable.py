"""What is particular to a sensor that waits in the triggerer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_aegis.compat import AirflowTaskTimeout, TaskDeferred
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.exceptions import MalformedEventError
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger
from tests.unit.airflow_task import FakeTask
from tests.unit.sensors.test_once_task import SCAN, sensor, start


def test_execution_timeout_holds_while_deferred(sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(AirflowTaskTimeout, match="deadline"):
        task.run(sensor("deferrable", start(), execution_timeout=timedelta(seconds=0.3)))
    assert sas.cancelled == []


def test_a_scan_that_is_over_never_defers(sas: Emulator, task: FakeTask) -> None:
    task.run(sensor("deferrable", start("SUCCESS", sas)))
    assert task.events == []


def test_what_it_hands_over(sas: Emulator, task: FakeTask) -> None:
    once_task_id = start()
    one = AegisOnceTaskSensor(
        task_id="wait",
        once_task_id=once_task_id,
        once_task_type=SCAN,
        deferrable=True,
        poll_interval=20,
        max_poll_interval=90,
    )
    with pytest.raises(TaskDeferred) as deferred:
        one.execute(task.context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, AegisOnceTaskTrigger)
    assert deferred.value.timeout is None
    assert (trigger.poll_interval, trigger.max_poll_interval, trigger.first_poll_delay) == (20, 90, 10)
    assert (trigger.ours, trigger.cancel_on_kill) == (False, False), "a sensor cancels nothing"


@pytest.mark.parametrize("event", [None, {}, "success", {"outcome": "success", "payload": {}, "error": None}])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_malformed_event_is_neither_green_nor_skipped(
    event: Any, soft_fail: bool, sas: Emulator, task: FakeTask
) -> None:
    one = sensor("deferrable", "x", soft_fail=soft_fail)()
    with pytest.raises(MalformedEventError):
        one.resume_execution("execute_complete", {"event": event}, task.context)
