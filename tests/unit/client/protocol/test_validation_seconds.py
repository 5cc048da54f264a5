"""Every argument that is a span of time: a timedelta is taken, and what is none is refused by name."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger, AegisVacancyTrigger
from tests.unit.airflow_task import FakeTask

SCAN = "VUL_CHECK_TASK"
# Each class, what it needs besides, its spans of time, and those of them that may be 0.
TASKS: dict[type[Any], tuple[dict[str, Any], set[str], set[str]]] = {
    AegisOnceTaskOperator: (
        {"task_id": "t", "once_task_type": SCAN},
        {"poll_interval", "max_poll_interval", "timeout", "first_poll_delay"},
        {"first_poll_delay"},
    ),
    AegisOnceTaskSensor: (
        {"task_id": "t", "once_task_type": SCAN, "once_task_id": "id"},
        {"poll_interval", "max_poll_interval", "timeout", "unknown_task_grace", "first_poll_delay"},
        {"timeout", "unknown_task_grace", "first_poll_delay"},
    ),
}
TRIGGERS: dict[type[BaseTrigger], tuple[dict[str, Any], set[str], set[str]]] = {
    AegisOnceTaskTrigger: (
        {"once_task_id": "id", "once_task_type": SCAN, "aegis_conn_id": "aegis_default"},
        {"poll_interval", "max_poll_interval", "first_poll_delay", "unknown_task_grace"},
        {"first_poll_delay", "unknown_task_grace"},
    ),
    AegisVacancyTrigger: ({"once_task_type": SCAN, "aegis_conn_id": "aegis_default"}, {"delay"}, set()),
}
TEMPLATED = {"timeout"}  # what a template gives is judged when the task runs
OLD_NAMES = {"poke_interval", "max_wait"}
ODD: tuple[Any, ...] = ("30", "", True, [30], -1, timedelta(seconds=-1), float("nan"), float("inf"), 1e300)


def rows(
    table: dict[type[Any], tuple[dict[str, Any], set[str], set[str]]],
) -> list[tuple[type[Any], dict[str, Any], str, Any]]:
    return [
        (cls, needed, name, value)
        for cls, (needed, spans, zero) in table.items()
        for name in sorted(spans)
        for value in (ODD if name in zero else (*ODD, 0))
        if not (name in TEMPLATED and isinstance(value, str))
    ]


@pytest.mark.parametrize("cls", [*TASKS, *TRIGGERS], ids=lambda cls: cls.__name__)
def test_no_span_of_time_is_forgotten_here(cls: type[Any]) -> None:
    _, spans, _ = {**TASKS, **TRIGGERS}[cls]
    parameters = inspect.signature(cls.__init__).parameters.values()
    assert {one.name for one in parameters if "timedelta" in str(one.annotation)} - OLD_NAMES == spans


@pytest.mark.parametrize(("cls", "needed", "name", "value"), rows(TASKS))
def test_a_task_refuses_by_name_when_the_dag_is_read(
    cls: type[Any], needed: dict[str, Any], name: str, value: Any
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be "):
        cls(**needed, **{name: value})


@pytest.mark.parametrize("cls", TASKS, ids=lambda cls: cls.__name__)
def test_default_args_of_a_dag_are_judged_as_well(cls: type[Any]) -> None:
    needed, spans, _ = TASKS[cls]
    for name in spans:
        with pytest.raises(ConfigurationError, match=f"^{name} must be "):
            cls(**needed, default_args={name: [30]})


@pytest.mark.parametrize("cls", TASKS, ids=lambda cls: cls.__name__)
def test_a_task_takes_a_timedelta_for_each(cls: type[Any]) -> None:
    needed, spans, _ = TASKS[cls]
    one = cls(**needed, **dict.fromkeys(spans, timedelta(minutes=2)))
    assert {getattr(one, name) for name in spans} <= {120.0, timedelta(minutes=2)}


def test_the_sensor_hands_the_triggerer_plain_seconds() -> None:
    needed, spans, _ = TASKS[AegisOnceTaskSensor]
    two_minutes: dict[str, Any] = dict.fromkeys(spans, timedelta(minutes=2))
    one = AegisOnceTaskSensor(**needed, **two_minutes)
    _, arguments = one._trigger(5.0).serialize()
    assert {arguments[name] for name in TRIGGERS[AegisOnceTaskTrigger][1]} == {120.0}


def test_the_sensor_waits_as_long_as_airflow_says_where_its_timeout_is_not_given() -> None:
    needed = TASKS[AegisOnceTaskSensor][0]
    assert AegisOnceTaskSensor(**needed).timeout == AegisOnceTaskSensor(**needed, timeout=None).timeout == 7 * 86400


@pytest.mark.parametrize(("cls", "needed", "name", "value"), rows(TRIGGERS))
def test_a_trigger_tells_by_name_and_never_ends_the_triggerer(
    cls: type[BaseTrigger], needed: dict[str, Any], name: str, value: Any, sas: Emulator, task: FakeTask
) -> None:
    # The constructor takes it: of what one raises, Airflow's triggerer survives a TypeError alone.
    event = task.fire(cls(**needed, **{name: value}))
    assert (event["outcome"], event["error"]["error_class"]) == ("error", "ConfigurationError")
    assert event["error"]["message"].startswith(f"{name} must be ")
    assert sas.requests == {}


@pytest.mark.parametrize("cls", TRIGGERS, ids=lambda cls: cls.__name__)
def test_a_trigger_takes_a_timedelta_and_stays_plain_json(cls: type[BaseTrigger]) -> None:
    needed, spans, _ = TRIGGERS[cls]
    one = cls(**needed, **dict.fromkeys(spans, timedelta(minutes=2)))
    _, arguments = one.serialize()
    assert {json.loads(json.dumps(arguments))[name] for name in spans} == {120.0}


@pytest.mark.parametrize("cls", TRIGGERS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("deadline", [float("nan"), "5", [5]])
def test_a_deadline_that_is_no_time_is_named(
    cls: type[BaseTrigger], deadline: Any, sas: Emulator, task: FakeTask
) -> None:
    event = task.fire(cls(**TRIGGERS[cls][0], deadline=deadline))
    assert event["error"]["message"].startswith("deadline must be UNIX epoch seconds")
