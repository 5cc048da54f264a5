"""The stack itself: tasks run, triggers fire, and what is killed comes back."""

from __future__ import annotations

import pytest

from .stack import AirflowStack

DAG = "stack_smoke"

pytestmark = pytest.mark.e2e


def test_run_goes_green_and_can_be_read(stack: AirflowStack) -> None:
    run = stack.trigger(DAG)

    assert stack.wait(DAG, run) == "success", stack.task_states(DAG, run)
    assert stack.task_states(DAG, run) == {"work": "success", "deferred": "success"}
    assert stack.xcom(DAG, run, "work") == 1
    assert stack.xcom_keys(DAG, run, "work") == {"return_value"}
    assert stack.extra_links(DAG, run, "work") == {}
    assert "a marker line from the worker" in stack.log(DAG, run, "work")
    assert stack.import_errors() == {}


def test_triggers_survive_a_killed_triggerer(stack: AirflowStack) -> None:
    run = stack.trigger(DAG, {"defer": 8})
    stack.wait_task(DAG, run, "deferred", "deferred")

    stack.kill("triggerer", tree=True)
    stack.restart("triggerer")

    assert stack.wait(DAG, run) == "success", stack.task_states(DAG, run)
    assert stack.xcom(DAG, run, "deferred") == "resumed"


def test_killed_worker_is_noticed_and_the_task_retried(stack: AirflowStack) -> None:
    run = stack.trigger(DAG, {"defer": 0, "work": 60})

    stack.kill_worker(DAG, run, "work")

    assert stack.wait(DAG, run) == "success", stack.task_states(DAG, run)
    assert stack.xcom(DAG, run, "work") == 2


def test_new_scheduler_takes_over(stack: AirflowStack) -> None:
    stack.kill("scheduler", tree=True)
    run = stack.trigger(DAG, {"defer": 0})
    stack.restart("scheduler")

    assert stack.wait(DAG, run) == "success", stack.task_states(DAG, run)


def test_marking_and_clearing(stack: AirflowStack) -> None:
    run = stack.trigger(DAG, {"defer": 60})
    stack.wait_task(DAG, run, "deferred", "deferred")

    stack.mark(DAG, run, "deferred", "failed")
    assert stack.wait(DAG, run) == "failed"

    stack.clear(DAG, run, "deferred")
    stack.wait_task(DAG, run, "deferred", "deferred")
    stack.end_run(DAG, run)
    assert stack.wait(DAG, run) == "failed"
    assert stack.task(DAG, run, "deferred")["try_number"] == 2
