"""The scans of a run, as the emulator knows them, and waits for what becomes of their tasks."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_aegis.emulator import Emulator

from .api import until
from .stack import AirflowStack

START, READ, CANCEL = "GenerateOnceTask", "GetOnceTaskResultInfo", "CancelOnceTask"


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


def check_that_nothing_held_up_the_triggerer(stack: AirflowStack) -> None:
    """Fail if something waited on the loop's own thread for as long as an outage or a cancelled scan takes.

    Airflow's own watchdog tells of every turn of more than 0.2 s; busy machines have some of those by themselves.
    """
    log = stack.component_log("triggerer")
    assert "triggers currently running" in log
    assert max(map(float, re.findall(r"thread was blocked for ([\d.]+) seconds", log)), default=0.0) < 3, log
