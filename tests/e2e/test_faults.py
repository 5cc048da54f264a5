"""Whatever dies, there is one scan, and its task ends as the scan did. In a real Airflow; the emulator counts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault

from .api import until
from .stack import AirflowStack

pytestmark = pytest.mark.e2e

START, READ, CANCEL = "GenerateOnceTask", "GetOnceTaskResultInfo", "CancelOnceTask"
POINTS = ("before_start", "before_store", "after_store")
MANY = 20


def scans(sas: Emulator, name: str) -> list[str]:
    """Ids of the scans that were started under a name."""
    return [once_task_id for once_task_id, task in sas.tasks.items() if task.task_name == name]


def reads(sas: Emulator, name: str) -> int:
    """How often the state of a scan of that name was read."""
    return sum(line.action == READ and line.params["TaskName"] == name for line in sas.log)


def wait_for(stack: AirflowStack, dag_id: str, run: str, what: Callable[[], object], timeout: float = 60) -> None:
    """Wait until something holds."""
    until(lambda: what() or None, timeout, lambda: f"{stack.task_states(dag_id, run)}")


def wait_for_try(stack: AirflowStack, dag_id: str, run: str, number: int) -> None:
    """Wait until the task is in that try, and waits for its scan."""
    wait_for(stack, dag_id, run, lambda: stack.task(dag_id, run, "scan")["try_number"] == number)
    stack.wait_task(dag_id, run, "scan", {"running", "deferred"})


def wait_until_watched(stack: AirflowStack, dag_id: str, run: str, task_id: str = "scan") -> None:
    """Wait until the triggerer has taken up the deferred task: before that, Airflow has nobody to call on_kill of."""
    stack.wait_task(dag_id, run, task_id, "deferred")
    wait_for(stack, dag_id, run, lambda: " starting" in stack.log(dag_id, run, task_id))


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


# The service fails for as long as the promise says; the scan ends meanwhile.
TROUBLES: dict[str, Callable[[Emulator], None]] = {
    "half of the answers throttled for a minute": lambda sas: sas.inject(
        "*", Fault.throttled(retry_after=0.5), seconds=60, probability=0.5
    ),
    "503 for 30 s": lambda sas: sas.inject("*", Fault.error("ServiceUnavailable", status=503), seconds=30),
    "connections refused for 30 s": lambda sas: sas.refuse_connections(30),
}


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(name, marks=pytest.mark.soak) if "minute" in name else name for name in TROUBLES],
)
def test_trouble_of_the_service_is_ridden_out(trouble: str, stack: AirflowStack, sas: Emulator) -> None:
    name = trouble.replace(" ", "-")
    sas.set(seconds=40)
    runs = [stack.trigger("aegis_deferred", {"name": f"{name}-{index}"}) for index in range(3)]
    for run in runs:
        wait_until_watched(stack, "aegis_deferred", run)
    TROUBLES[trouble](sas)
    for run in runs:
        assert stack.wait("aegis_deferred", run, timeout=150) == "success", stack.log("aegis_deferred", run, "scan")
    assert len(sas.started) == 3
    assert sas.cancelled == []


def test_keys_revoked_midway_fail_the_task_at_once(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_deferred", {"name": "revoked"})
    wait_until_watched(stack, "aegis_deferred", run)
    sas.revoke(sas.access_key_id)
    try:
        assert stack.wait("aegis_deferred", run) == "failed"
        assert "InvalidAccessKeyId.Inactive" in stack.log("aegis_deferred", run, "scan")
    finally:
        sas.restore(sas.access_key_id)


def test_the_deadline_holds_while_deferred(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_deadline", {"name": "deadline"})
    assert stack.wait("aegis_deadline", run) == "failed"
    assert sas.cancelled == sas.started
    assert sas.requests[CANCEL] == 1
    log = stack.log("aegis_deadline", run, "scan")
    assert "was not over when the deadline passed" in log
    arrived = {line.action: line.arrived for line in sas.log}
    # The promise: within 5 s of the deadline, which is 20 s after the task began and so a little before that later.
    assert arrived[CANCEL] - arrived[START] < 20 + 5


def test_nothing_held_up_the_triggerer_in_all_of_this(stack: AirflowStack) -> None:
    """What waited on the loop's own thread would hold it up for as long as a poll, an outage or a cancelled scan takes.

    Airflow's own watchdog tells of every turn of more than 0.2 s; busy machines have some of those by themselves.
    """
    log = stack.component_log("triggerer")
    assert "triggers currently running" in log
    assert max(map(float, re.findall(r"thread was blocked for ([\d.]+) seconds", log)), default=0.0) < 1, log
