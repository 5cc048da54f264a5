"""What becomes of a scan whose task is killed, on a worker or deferred."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger
from tests.unit.airflow_task import FakeStore, FakeTask
from tests.unit.operators.scans import CANCEL, SCAN, scan


def test_on_kill_cancels_the_scan_it_started(sas: Emulator, task: FakeTask) -> None:
    operator = scan(wait_for_completion=False)()
    operator.execute(task.context)
    operator.on_kill()
    assert sas.cancelled == sas.started


def test_on_kill_does_what_cancel_on_kill_says(sas: Emulator, task: FakeTask) -> None:
    operator = scan(wait_for_completion=False, cancel_on_kill=False)()
    operator.execute(task.context)
    operator.on_kill()
    assert sas.cancelled == []


def test_on_kill_before_the_start_does_nothing(sas: Emulator, task: FakeTask) -> None:
    scan()().on_kill()
    assert sas.requests == {}


def test_a_kill_during_the_start_cancels_what_was_started(
    sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = scan(wait_for_completion=False)()
    write = FakeStore.set

    def signal_before_the_start(store: Any, key: str, value: Any, **kwargs: Any) -> None:
        write(store, key, value, **kwargs)
        if not value["once_task_id"]:
            operator.on_kill()

    monkeypatch.setattr(FakeStore, "set", signal_before_the_start)
    operator.execute(task.context)
    assert sas.cancelled == sas.started


def test_a_cancel_that_goes_wrong_is_logged(sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture) -> None:
    operator = scan(wait_for_completion=False)()
    operator.execute(task.context)
    sas.inject(CANCEL, Fault.error("NoPermission", status=403), times=1)
    operator.on_kill()
    assert "could not be cancelled and may run on" in caplog.text


@pytest.mark.parametrize(("ours", "cancel_on_kill"), [(True, True), (True, False), (False, True)])
def test_the_trigger_cancels_on_kill_only_our_scan(ours: bool, cancel_on_kill: bool, sas: Emulator) -> None:
    trigger = AegisOnceTaskTrigger(
        once_task_id="x", once_task_type=SCAN, aegis_conn_id="aegis_default", ours=ours, cancel_on_kill=cancel_on_kill
    )
    asyncio.run(trigger.on_kill())
    assert sas.requests[CANCEL] == (ours and cancel_on_kill)
