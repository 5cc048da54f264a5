"""Whatever is killed, there is one scan, and its task ends as the scan did. In a real Airflow; the emulator counts."""

from __future__ import annotations

import time
from functools import partial

import pytest

from airflow_provider_aegis.emulator import Emulator

from .scans import reads, scans, wait_for, wait_for_try
from .stack import AirflowStack

pytestmark = pytest.mark.e2e

POINTS = ("before_start", "before_store", "after_store")
MANY = 20


def test_a_worker_killed_at_any_point_leaves_one_scan(stack: AirflowStack, sas: Emulator) -> None:
    runs = {
        (dag_id, point): stack.trigger(dag_id, {"name": f"{dag_id}-{point}", "dies_at": point})
        for dag_id in ("aegis_mortal", "aegis_mortal_deferrable")
        for point in POINTS
    }
    for (dag_id, point), run in runs.items():
        # The second try is under way: the scan of the first one, if there was one, must be found running.
        wait_for_try(stack, dag_id, run, 2)
        wait_for(stack, dag_id, run, partial(scans, sas, f"{dag_id}-{point}"))
    time.sleep(3)  # a second scan would be started by now
    for once_task_id in sas.running:
        sas.finish(once_task_id)
    for (dag_id, point), run in runs.items():
        assert stack.wait(dag_id, run) == "success", stack.log(dag_id, run, "scan", 2)
        (once_task_id,) = scans(sas, f"{dag_id}-{point}")
        assert stack.xcom(dag_id, run, "scan", "once_task_id") == once_task_id
        assert stack.task(dag_id, run, "scan")["try_number"] == 2
    assert sas.cancelled == []


def test_a_worker_killed_while_it_waits_leaves_one_scan(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_mortal", {"name": "waiting"})
    wait_for(stack, "aegis_mortal", run, lambda: reads(sas, "waiting") > 1)
    stack.kill_worker("aegis_mortal", run, "scan")
    wait_for_try(stack, "aegis_mortal", run, 2)
    (once_task_id,) = scans(sas, "waiting")
    sas.finish(once_task_id)
    assert stack.wait("aegis_mortal", run) == "success"
    assert scans(sas, "waiting") == [once_task_id]
    assert sas.cancelled == []
    assert "picking it up again" in stack.log("aegis_mortal", run, "scan", 2)


@pytest.mark.parametrize("victim", ["triggerer", "scheduler"])
def test_a_killed_component_loses_no_wait(victim: str, stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_many")
    wait_for(stack, "aegis_many", run, lambda: deferred(stack, run) == MANY, timeout=120)
    stack.kill(victim, tree=True)
    stack.restart(victim)
    for once_task_id in sas.running:
        sas.finish(once_task_id)
    assert stack.wait("aegis_many", run, timeout=120) == "success", stack.task_states("aegis_many", run)
    assert len(sas.started) == MANY
    assert sas.cancelled == []


def deferred(stack: AirflowStack, run: str) -> int:
    """How many of the mapped tasks wait in the triggerer."""
    return list(stack.task_states("aegis_many", run).values()).count("deferred")
