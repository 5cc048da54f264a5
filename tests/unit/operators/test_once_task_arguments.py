"""The operator's arguments: closed sets, templates, defaults that follow from one another."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.compat import TaskDeferred
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.exceptions import OnceTaskDeadlineError, OnceTaskTimeoutError
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator, AegisOnceTaskOperator
from airflow_provider_aegis.operators.submission_store import KEY
from tests.unit.airflow_task import FakeTask
from tests.unit.operators.scans import SCAN, both_modes, scan


def operator(**kwargs: Any) -> AegisOnceTaskOperator:
    return AegisOnceTaskOperator(**{"task_id": "scan", "once_task_type": SCAN, **kwargs})


def test_what_to_do_on_a_conflict_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="on_conflict must be one of wait, adopt, fail, not 'retry'"):
        operator(on_conflict="retry")


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({}, 10.0),
        ({"poll_interval": 2}, 2.0),
        ({"poll_interval": 2, "first_poll_delay": 7}, 7.0),
        ({"first_poll_delay": 0}, 0.0),
    ],
    ids=str,
)
def test_the_first_read_of_short_polls_comes_sooner(
    arguments: dict[str, Any], seconds: float, sas: Emulator, task: FakeTask
) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True, **arguments).execute(task.context)
    assert deferred.value.trigger.first_poll_delay == seconds


@both_modes
def test_the_timeout_may_come_from_a_template(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    assert "timeout" in AegisOnceTaskOperator.template_fields
    with pytest.raises(OnceTaskDeadlineError):
        task.run(scan(deferrable, timeout="0.2"))


@pytest.mark.parametrize("text", ["", "soon", "None", "-5", "nan"])
def test_a_template_that_gives_no_number_is_named_before_a_scan_starts(
    text: str, sas: Emulator, task: FakeTask
) -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout must be "):
        task.run(scan(timeout=text))
    assert sas.started == []


@both_modes
def test_a_scan_that_ends_with_timeout_fails(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.1, outcome="TIMEOUT")
    with pytest.raises(OnceTaskTimeoutError):
        task.run(scan(deferrable))


@both_modes
def test_its_payload_is_pushed_where_that_is_wanted(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.1, outcome="TIMEOUT")
    assert task.run(scan(deferrable, fail_on_timeout=False))["TaskInfo"]["Status"] == "TIMEOUT"
    assert sas.cancelled == []
    assert task.store is not None
    assert task.store[KEY]["ended"]
    assert task.run(scan(deferrable, fail_on_timeout=False))["TaskInfo"]["Status"] == "TIMEOUT"
    assert len(sas.started) == 1, "a later try takes it for good as well"


@both_modes
def test_a_scan_that_the_service_never_knew_is_told_at_the_deadline_too(
    deferrable: bool, sas: Emulator, task: FakeTask
) -> None:
    """The grace for unknown scans is longer than what the user waits."""
    sas.set(task_info="null")
    make = scan(deferrable, timeout=0.2)
    with pytest.raises(OnceTaskDeadlineError, match=r"^Check the scan's id.* is not known to Security Center"):
        task.run(make)
    assert sas.cancelled == sas.started, "it may run all the same"


@pytest.mark.parametrize(
    ("once_task_type", "warning"),
    [
        ("VUL_CHECK_TASKS", "did you mean 'VUL_CHECK_TASK'?"),
        ("assets_collection", "did you mean 'ASSETS_COLLECTION'?"),
        ("SOMETHING_NEW", "documented are VUL_CHECK_TASK, "),
    ],
)
def test_a_type_that_is_not_documented_is_warned_of_and_sent(
    once_task_type: str, warning: str, sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    task.run(scan(once_task_type=once_task_type, wait_for_completion=False))
    assert f"once_task_type {once_task_type!r} is not documented and is sent as it is; {warning}" in caplog.text
    assert len(sas.started) == 1
    caplog.clear()
    one = AegisGetOnceTaskResultOperator(task_id="r", once_task_id=sas.started[0], once_task_type=once_task_type)
    task.run(lambda: one)
    assert warning in caplog.text


def test_a_documented_type_is_not_warned_of(sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task.run(scan(wait_for_completion=False))
    assert "documented" not in caplog.text
