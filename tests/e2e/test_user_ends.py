"""A task that a user ends cancels its own scan, and no other. In a real Airflow; the emulator counts."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.emulator import Emulator

from .scans import check_that_nothing_held_up_the_triggerer, reads, scans, wait_for, wait_until_watched
from .stack import AirflowStack

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("how", ["mark failed", "mark success", "clear", "end the run"])
def test_a_deferred_task_that_a_user_ends_cancels_its_scan(how: str, stack: AirflowStack, sas: Emulator) -> None:
    name = how.replace(" ", "-")
    run = stack.trigger("aegis_deferred", {"name": name})
    wait_until_watched(stack, "aegis_deferred", run)
    (first,) = scans(sas, name)
    # sqlite gives the id of a deleted last row to the next one: a trigger of its own keeps the triggerer from taking
    # the cleared task's new trigger for the old one, which no other database does.
    bystander = stack.trigger("aegis_deferred", {"name": f"{name}-bystander"})
    wait_until_watched(stack, "aegis_deferred", bystander)
    match how:
        case "mark failed":
            stack.mark("aegis_deferred", run, "scan", "failed")
        case "mark success":
            stack.mark("aegis_deferred", run, "scan", "success")
        case "clear":
            stack.clear("aegis_deferred", run, "scan")
        case "end the run":
            stack.end_run("aegis_deferred", run)
    wait_for(stack, "aegis_deferred", run, lambda: first in sas.cancelled)
    if how == "clear":
        wait_for(stack, "aegis_deferred", run, lambda: len(scans(sas, name)) == 2)
        (second,) = set(scans(sas, name)) - {first}
        sas.finish(second)
        assert stack.wait("aegis_deferred", run) == "success"
        assert stack.xcom("aegis_deferred", run, "scan", "once_task_id") == second
    else:
        assert stack.wait("aegis_deferred", run) == ("success" if how == "mark success" else "failed")
    assert set(sas.cancelled) == {first}
    (other,) = sas.running
    sas.finish(other)
    assert stack.wait("aegis_deferred", bystander) == "success"


def test_a_running_task_that_a_user_ends_cancels_its_scan(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_mortal", {"name": "running"})
    wait_for(stack, "aegis_mortal", run, lambda: reads(sas, "running") > 1)
    stack.mark("aegis_mortal", run, "scan", "failed")
    wait_for(stack, "aegis_mortal", run, lambda: bool(sas.cancelled))
    assert sas.cancelled == sas.started
    assert sas.running == []


def test_a_sensor_that_a_user_ends_cancels_nothing(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_deferred", {"name": "theirs"})
    wait_until_watched(stack, "aegis_deferred", run)
    (once_task_id,) = scans(sas, "theirs")
    watching = stack.trigger("aegis_watched", {"name": "theirs", "once_task_id": once_task_id})
    wait_until_watched(stack, "aegis_watched", watching, "wait")
    stack.mark("aegis_watched", watching, "wait", "failed")
    assert stack.wait("aegis_watched", watching) == "failed"
    sas.finish(once_task_id)
    assert stack.wait("aegis_deferred", run) == "success"
    assert sas.cancelled == []


def test_nothing_held_up_the_triggerer_in_all_of_this(stack: AirflowStack) -> None:
    check_that_nothing_held_up_the_triggerer(stack)
