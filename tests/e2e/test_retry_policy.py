"""AEGIS_RETRY_POLICY as Airflow's own scheduler and worker carry it out; the task has three retries, a second apart."""

from __future__ import annotations

import time

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault

from .stack import AirflowStack

pytestmark = pytest.mark.e2e

DAG = "aegis_retried"


def test_what_a_retry_cannot_change_fails_at_once(stack: AirflowStack, sas: Emulator) -> None:
    sas.inject("*", Fault.error("NoPermission", status=403), seconds=60)
    run = stack.trigger(DAG, {"name": "refused"})
    assert stack.wait(DAG, run) == "failed"
    assert stack.task(DAG, run, "scan")["try_number"] == 1
    assert "Grant yundun-" in stack.log(DAG, run, "scan")


def test_a_conflict_is_retried_when_it_may_be_over(stack: AirflowStack, sas: Emulator) -> None:
    sas.inject("GenerateOnceTask", Fault.error("TaskRepeat"), seconds=60)
    run = stack.trigger(DAG, {"name": "second"})
    stack.wait_task(DAG, run, "scan", "up_for_retry")
    time.sleep(5)  # by retry_delay it would have been tried again and again
    task = stack.task(DAG, run, "scan")
    assert (task["state"], task["try_number"]) == ("up_for_retry", 1)
    assert "TaskRepeat" in stack.log(DAG, run, "scan")
    stack.end_run(DAG, run)


def test_a_scan_that_failed_is_retried_as_the_task_says(stack: AirflowStack, sas: Emulator) -> None:
    sas.set(seconds=1, outcome="TIMEOUT")
    run = stack.trigger(DAG, {"name": "timed-out"})
    assert stack.wait(DAG, run) == "failed"
    assert stack.task(DAG, run, "scan")["try_number"] == 4
    assert len(sas.started) == 4
