"""What becomes of a scan whose task is killed on a worker. The signals are real: they interrupt the task's thread."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_aegis.compat import AirflowTaskTimeout
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.exceptions import OnceTaskFailedError, TaskKilledError
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from airflow_provider_aegis.operators.submission_store import KEY
from tests.unit.airflow_task import FakeStore, FakeTask, channel
from tests.unit.operators.scans import CANCEL, READ, START, scan, start_elsewhere

LAST = "GetLastOnceTaskInfo"


@contextmanager
def killed_when(condition: Callable[[], bool], operator: AegisOnceTaskOperator) -> Iterator[None]:
    """Have the signal come, as Airflow sends SIGTERM, as soon as a condition holds."""

    def watch() -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def run_until_cancelled(task: FakeTask, operator: AegisOnceTaskOperator) -> None:
    """Run a try whose scan ends because it was cancelled."""
    with pytest.raises(OnceTaskFailedError):
        operator.execute(task.context)


ENDED = ["failed", "success", "skipped", "removed", "upstream_failed", "restarting", None]
NOT_ENDED = ["running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "deferred", "None"]


@pytest.mark.parametrize("state", ENDED)
def test_a_scan_whose_task_was_ended_is_cancelled(state: str | None, sas: Emulator, task: FakeTask) -> None:
    operator = scan(wait_for_completion=False)()
    operator.execute(task.context)
    task.state = state
    operator.on_kill()
    assert sas.cancelled == sas.started


@pytest.mark.parametrize("state", NOT_ENDED)
def test_a_scan_whose_process_alone_was_killed_goes_on_and_is_picked_up_again(
    state: str, sas: Emulator, task: FakeTask
) -> None:
    operator = scan(wait_for_completion=False)()
    operator.execute(task.context)
    task.state = state
    operator.on_kill()
    assert sas.requests[CANCEL] == 0
    sas.finish(sas.started[0])
    task.run(scan())
    assert len(sas.started) == 1


@pytest.mark.parametrize("error", [OSError("gone"), EOFError("gone"), ValueError("odd")])
def test_if_airflow_does_not_answer_the_scan_goes_on(error: Exception, sas: Emulator, task: FakeTask) -> None:
    def fail(**_: Any) -> Any:
        raise error

    operator, context = scan(wait_for_completion=False)(), task.context
    context["ti"].get_task_states = fail
    operator.execute(context)
    operator.on_kill()
    assert sas.requests[CANCEL] == 0


def test_where_nothing_is_remembered_the_scan_is_cancelled(sas: Emulator, task: FakeTask) -> None:
    """Below Airflow 3.3 a later try starts another scan in any case."""
    task.store = None
    operator = scan(wait_for_completion=False)()
    operator.execute(task.context)
    operator.on_kill()
    assert sas.cancelled == sas.started


def test_on_kill_does_what_cancel_on_kill_says(sas: Emulator, task: FakeTask) -> None:
    operator = scan(wait_for_completion=False, cancel_on_kill=False)()
    operator.execute(task.context)
    task.state = "failed"
    operator.on_kill()
    assert sas.cancelled == []


def test_on_kill_before_the_start_does_nothing(sas: Emulator, task: FakeTask) -> None:
    scan()().on_kill()
    assert sas.requests == {}


def test_a_kill_during_the_wait_cancels_the_scan(sas: Emulator, task: FakeTask) -> None:
    operator = scan()()
    task.state = "failed"
    with killed_when(lambda: sas.requests[READ] > 1, operator):
        run_until_cancelled(task, operator)
    assert sas.cancelled == sas.started


def test_a_kill_while_the_task_holds_the_channel_to_airflow_cancels_the_scan(
    sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, write = scan()(), FakeStore.set

    def interrupted(store: FakeStore, key: str, value: Any, **kwargs: Any) -> None:
        write(store, key, value, **kwargs)
        if value["once_task_id"]:
            with channel:
                operator.on_kill()

    monkeypatch.setattr("airflow_provider_aegis.operators.scan.HANDLER_SECONDS", 0.2)
    monkeypatch.setattr(FakeStore, "set", interrupted)
    task.state = "failed"
    run_until_cancelled(task, operator)
    assert sas.cancelled == sas.started


def test_a_kill_while_the_answer_to_the_start_is_on_its_way_cancels_the_scan(sas: Emulator, task: FakeTask) -> None:
    operator = scan(wait_for_completion=False)()
    sas.inject(START, Fault.delayed(0.5, after=True), times=1)
    task.state = "restarting"
    with killed_when(lambda: sas.requests[START] > 0, operator):
        operator.execute(task.context)
    assert sas.cancelled == sas.started
    assert len(sas.started) == 1


def test_a_kill_before_the_start_starts_nothing(sas: Emulator, task: FakeTask) -> None:
    operator = scan()()
    sas.inject(LAST, Fault.delayed(0.3), times=1)
    with killed_when(lambda: sas.requests[LAST] > 0, operator), pytest.raises(TaskKilledError):
        operator.execute(task.context)
    assert sas.requests[START] == 0


@pytest.mark.parametrize("cancel_on_kill", [False, True])
def test_killed_while_it_waits_for_another_scan_it_starts_nothing(
    cancel_on_kill: bool, sas: Emulator, task: FakeTask
) -> None:
    other = start_elsewhere()
    operator = scan(cancel_on_kill=cancel_on_kill)()
    with killed_when(lambda: sas.requests[START] > 1, operator), pytest.raises(TaskKilledError):
        operator.execute(task.context)
    sas.finish(other)
    assert sas.started == [other]
    assert sas.cancelled == []


def test_killed_while_a_retry_attaches_the_stored_scan_is_cancelled(sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    operator = scan()()
    sas.inject(READ, Fault.delayed(0.3), times=1)
    task.state = "failed"
    with killed_when(lambda: sas.requests[READ] > 0, operator), pytest.raises(TaskKilledError):
        operator.execute(task.context)
    assert sas.cancelled == sas.started


def test_killed_while_a_retry_searches_the_scan_is_found_and_cancelled(sas: Emulator, task: FakeTask) -> None:
    task.run(scan(wait_for_completion=False))
    assert task.store is not None
    task.store[KEY]["once_task_id"] = ""
    operator, seen = scan()(), sas.requests[LAST]
    sas.inject(LAST, Fault.delayed(0.3), times=1)
    task.state = "failed"
    with killed_when(lambda: sas.requests[LAST] > seen, operator), pytest.raises(TaskKilledError):
        operator.execute(task.context)
    assert sas.cancelled == sas.started


def test_a_cancel_that_goes_wrong_is_logged(sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture) -> None:
    operator = scan(wait_for_completion=False)()
    operator.execute(task.context)
    sas.inject(CANCEL, Fault.error("NoPermission", status=403), times=1)
    task.state = "failed"
    operator.on_kill()
    assert "could not be cancelled and may run on" in caplog.text


@pytest.mark.parametrize("cancel_on_timeout", [True, False])
def test_execution_timeout_does_what_cancel_on_timeout_says(
    cancel_on_timeout: bool, sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow raises it in the middle of the wait and then calls on_kill; the task instance still runs."""
    operator = scan(cancel_on_timeout=cancel_on_timeout, cancel_on_kill=not cancel_on_timeout)()

    def time_out(*_: Any, **__: Any) -> Any:
        raise AirflowTaskTimeout

    monkeypatch.setattr(AegisOnceTaskOperator, "_await_end", time_out)
    with pytest.raises(AirflowTaskTimeout):
        operator.execute(task.context)
    operator.on_kill()
    assert sas.cancelled == (sas.started if cancel_on_timeout else [])
    assert task.store is not None
    assert (KEY in task.store) != cancel_on_timeout, "a later try starts another scan"


def test_a_task_that_a_user_ends_in_the_moment_of_its_deferral_cancels_its_scan(sas: Emulator, task: FakeTask) -> None:
    """Airflow refuses the deferral, and calls on_kill of neither the process nor a trigger."""
    operator = scan(deferrable=True)()
    task.state = "failed"
    with pytest.raises(TaskKilledError, match="was ended"):
        operator.execute(task.context)
    assert sas.cancelled == sas.started
