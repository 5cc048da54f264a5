"""The operator in both of its modes: order, endings, deadlines, arguments."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    PermissionDeniedError,
)
from airflow_provider_aegis.client.jobs.once_task import STATUS_WORDS, Phase
from airflow_provider_aegis.compat import AirflowException, TaskDeferred
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.exceptions import (
    MalformedEventError,
    OnceTaskDeadlineError,
    OnceTaskError,
    OnceTaskFailedError,
    OnceTaskTimeoutError,
    UnknownOnceTaskError,
)
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator, AegisOnceTaskOperator
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger
from tests.unit.airflow_task import FakeTask
from tests.unit.operators.scans import READ, SCAN, START, both_modes, scan


@both_modes
def test_it_starts_waits_and_returns_the_payload(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.2)
    payload = task.run(scan(deferrable, param={"a": ["ü", 1]}, source="airflow"))
    assert payload["TaskInfo"]["Status"] == "SUCCESS"
    assert task.xcoms["once_task_id"] == sas.started[0]
    assert len(sas.started) == 1
    sent = next(line.params for line in sas.log if line.action == START)
    assert json.loads(sent.pop("Param")) == {"a": ["ü", 1]}
    assert sent == {"TaskType": SCAN, "TaskName": SCAN, "Source": "airflow"}


@both_modes
def test_the_id_is_in_xcom_before_the_wait(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.inject(READ, Fault.error("NoPermission", status=403), times=1)
    with pytest.raises(PermissionDeniedError):
        task.run(scan(deferrable))
    assert task.xcoms["once_task_id"] == sas.started[0]


def test_without_waiting_it_returns_the_id(sas: Emulator, task: FakeTask) -> None:
    assert task.run(scan(wait_for_completion=False)) == sas.started[0]
    assert sas.requests[READ] == 0


@both_modes
@pytest.mark.parametrize(
    ("outcome", "error"),
    [("FAIL", OnceTaskFailedError), ("FAILED", OnceTaskFailedError), ("TIMEOUT", OnceTaskTimeoutError)],
)
def test_a_bad_ending_raises_what_a_retry_may_answer(
    deferrable: bool, outcome: str, error: type[OnceTaskError], sas: Emulator, task: FakeTask
) -> None:
    sas.set(seconds=0.1, outcome=outcome)
    with pytest.raises(error, match=f"status {outcome}") as caught:
        task.run(scan(deferrable))
    assert isinstance(caught.value, AirflowException)
    sas.set(outcome="SUCCESS")
    assert task.run(scan(deferrable))["TaskInfo"]["Status"] == "SUCCESS"
    assert len(sas.started) == 2, "the retry started a new scan"


@both_modes
def test_a_scan_that_the_service_does_not_know_fails(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(task_info="null")
    with pytest.raises(UnknownOnceTaskError):
        task.run(scan(deferrable))


def test_a_scan_that_is_over_never_defers(sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0)
    assert task.run(scan(deferrable=True))["TaskInfo"]["Status"] == "SUCCESS"
    assert task.events == []


def test_the_trigger_waits_before_its_first_read(sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        AegisOnceTaskOperator(task_id="scan", once_task_type=SCAN, deferrable=True).execute(task.context)
    assert isinstance(deferred.value.trigger, AegisOnceTaskTrigger)
    assert deferred.value.trigger.first_poll_delay == 10
    assert deferred.value.timeout is None


# --- deadline


@both_modes
@pytest.mark.parametrize("cancels", [True, False])
def test_at_the_deadline_it_cancels_and_raises(deferrable: bool, cancels: bool, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(OnceTaskDeadlineError, match="was not over when the deadline passed"):
        task.run(scan(deferrable, timeout=0.4, cancel_on_timeout=cancels))
    assert sas.cancelled == (sas.started if cancels else [])


@both_modes
def test_the_last_read_at_the_deadline_counts(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3)
    payload = task.run(scan(deferrable, timeout=0.6, poll_interval=60))
    assert payload["TaskInfo"]["Status"] == "SUCCESS"
    assert sas.cancelled == []


def test_execution_timeout_holds_while_deferred(sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(OnceTaskDeadlineError):
        task.run(scan(deferrable=True, execution_timeout=timedelta(seconds=0.4)))
    assert sas.cancelled == sas.started


@both_modes
def test_trouble_is_ridden_out_until_the_deadline_and_named(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.inject(READ, Fault.error("ServiceUnavailable", status=503), times=10_000)
    with pytest.raises(OnceTaskDeadlineError, match=r"The last read failed.*ServiceUnavailable"):
        task.run(scan(deferrable, timeout=0.5))
    assert sas.cancelled == sas.started


@both_modes
def test_keys_revoked_midway_end_the_wait_at_once(deferrable: bool, sas: Emulator, task: FakeTask) -> None:
    sas.inject(READ, Fault.throttled(retry_after=0.001), times=5)
    sas.inject(READ, Fault.error("InvalidAccessKeyId.Inactive", status=400), times=1)
    with pytest.raises(AuthenticationError, match="Inactive") as caught:
        task.run(scan(deferrable))
    assert caught.value.http_status == 400
    assert "q=InvalidAccessKeyId.Inactive" in task.xcoms["_link_RequestDiagnosisLink"]


# --- events


@pytest.mark.parametrize(
    "event",
    [
        None,
        "success",
        {},
        {"outcome": "success"},
        {"outcome": "success", "payload": {}, "error": None, "once_task_id": "x", "ours": True},
        {"outcome": "success", "payload": {"TaskInfo": {"Status": "FAIL"}}, "error": None},
        {"outcome": "splendid", "payload": {}, "error": None},
        {"outcome": "error", "payload": {}, "error": None, "once_task_id": "x", "ours": True},
        {"outcome": "error", "payload": {}, "error": {"error_class": "Nonsense"}},
        {"outcome": "success", "payload": {"TaskInfo": {"Status": "SUCCESS"}}, "error": None},
        {"outcome": "success", "payload": {"TaskInfo": {"Status": "SUCCESS"}}, "error": None, "once_task_id": "x"},
    ],
)
def test_a_missing_or_malformed_event_is_never_green(event: Any, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(MalformedEventError):
        scan()().execute_complete(task.context, event)


@pytest.mark.parametrize("event", [None, {}, {"outcome": "vacant"}, {"outcome": "error", "error": None}])
def test_a_malformed_event_of_the_vacancy_starts_nothing(event: Any, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(MalformedEventError):
        scan()().execute_when_vacant(task.context, event)
    assert sas.started == []


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"once_task_type": " "}, "once_task_type is empty"),
        ({"param": "{not json"}, "param is not JSON.*line 1 column 2"),
        ({"param": "[1]"}, "param must be a JSON object"),
        ({"param": {"at": object()}}, "param cannot be written as JSON"),
    ],
)
@both_modes
def test_a_bad_argument_is_named_and_nothing_is_started(
    deferrable: bool, arguments: dict[str, Any], named: str, sas: Emulator, task: FakeTask
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        task.run(scan(deferrable, **arguments))
    assert sas.requests == {}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"on_conflict": "retry"}, "on_conflict must be one of wait, adopt, fail"), ({"timeout": 0}, "timeout")],
)
def test_an_argument_that_no_template_can_mend_is_refused_when_the_dag_is_read(
    arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises((ValueError, AirflowException), match=named):
        scan(**arguments)()


def test_template_fields_cover_what_a_user_would_expect() -> None:
    assert set(AegisOnceTaskOperator.template_fields) == {
        *("once_task_type", "once_task_name", "param", "source", "aegis_conn_id", "region", "timeout")
    }
    assert set(AegisGetOnceTaskResultOperator.template_fields) == {
        *("once_task_id", "once_task_type", "once_task_name", "aegis_conn_id", "region")
    }


@both_modes
@pytest.mark.parametrize("word", [word for word, phase in STATUS_WORDS.items() if phase is not Phase.SUCCESS])
def test_no_other_word_than_success_is_green(deferrable: bool, word: str, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0, outcome=word)
    with pytest.raises(OnceTaskError):
        task.run(scan(deferrable, timeout=0.1))


def test_a_conflict_fails_if_it_is_asked_for(sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    task.store = None
    with pytest.raises(ConflictError, match="TaskRepeat"):
        task.run(scan(on_conflict="fail"))
