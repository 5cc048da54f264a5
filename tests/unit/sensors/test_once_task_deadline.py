"""A read is bounded by what is left of the sensor's time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aegis.client.flows import wait
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.flows.poll_interval import Sample
from airflow_provider_aegis.client.flows.rate_limit import Priority
from airflow_provider_aegis.client.flows.wait import Poller
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.compat import AirflowSensorTimeout
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.sensors import once_task
from tests.unit.airflow_task import MODES, FakeTask
from tests.unit.sensors.test_once_task import READ, sensor, start

# What a machine under load may take beyond what it should, and what only a read takes that nothing ends.
SLACK = 30.0
HANG = 300.0


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each read of the sensor may take."""
    seconds: list[float] = []

    def note(config: Any, call: Any, *, deadline: float | None = None, priority: Priority = Priority.CALL) -> Any:
        assert deadline is not None
        seconds.append(deadline - config.clock.monotonic())
        return exchange(config, call, deadline=deadline, priority=priority)

    monkeypatch.setattr(wait, "exchange", note)
    return seconds


@pytest.mark.parametrize("mode", MODES)
def test_a_service_that_hangs_holds_no_read_beyond_the_timeout(
    mode: str, sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (once_task, wait):
        monkeypatch.setattr(module, "LAST_READ_SECONDS", 0.2)
    once_task_id = start()
    sas.inject(READ, Fault.delayed(600), seconds=600)
    began = time.monotonic()
    with pytest.raises(AirflowSensorTimeout):
        task.run(sensor(mode, once_task_id, timeout=0.3))
    assert time.monotonic() - began < HANG


def test_a_service_that_fails_is_not_asked_beyond_the_timeout(sas: Emulator, task: FakeTask) -> None:
    once_task_id = start()
    sas.inject(READ, Fault.throttled(retry_after=60), seconds=600)
    with pytest.raises(AirflowSensorTimeout):
        task.run(sensor("poke", once_task_id, timeout=0.3))
    assert sas.requests[READ] == 1


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({"timeout": 1000}, 1000),
        ({"timeout": timedelta(seconds=1000)}, 1000),
        ({"timeout": 1000, "execution_timeout": timedelta(seconds=300)}, 300),
        ({"timeout": 0}, wait.LAST_READ_SECONDS),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", MODES)
def test_a_read_may_take_what_is_left(
    mode: str, limits: dict[str, Any], seconds: float, sas: Emulator, task: FakeTask, allowed: list[float]
) -> None:
    task.run(sensor(mode, start("SUCCESS", sas), **limits))
    assert seconds - SLACK < allowed[0] <= seconds


def test_after_a_reschedule_the_timeout_counts_from_the_first_read_and_execution_timeout_anew(
    sas: Emulator, task: FakeTask, allowed: list[float]
) -> None:
    once_task_id = start("SUCCESS", sas)
    task.first_reschedule = datetime.now(UTC) - timedelta(seconds=600)
    task.run(sensor("reschedule", once_task_id, timeout=1000))
    task.run(sensor("reschedule", once_task_id, timeout=10_000, execution_timeout=timedelta(seconds=500)))
    assert allowed == pytest.approx([400, 500], abs=SLACK)


def test_the_deferred_wait_ends_when_the_timeout_has_passed_since_the_first_read(
    sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[float] = []
    make_trigger = once_task.AegisOnceTaskSensor._trigger

    def note(self: Any, deadline: float, priority: Priority = Priority.CALL) -> Any:
        handed.append(deadline - self._poller.began)
        return make_trigger(self, deadline)

    monkeypatch.setattr(once_task.AegisOnceTaskSensor, "_trigger", note)
    with pytest.raises(AirflowSensorTimeout):
        task.run(sensor("deferrable", start(), timeout=0.5))
    assert handed == [pytest.approx(0.5)]


@pytest.mark.parametrize(
    ("mode", "poke_interval", "passed", "delay"),
    [
        ("poke", 60, 10, 60),
        ("poke", 60, 90, 10),
        ("poke", 60, 110, 0),
        ("reschedule", 60, 10, 60),
        ("reschedule", 60, 90, 60),
        ("reschedule", 5, 98, 5),
    ],
)
def test_it_sleeps_up_to_the_deadline(
    mode: str, poke_interval: float, passed: float, delay: float, sas: Emulator
) -> None:
    one = sensor(mode, start(), timeout=100, poll_interval=poke_interval)()
    given = one._get_next_poke_interval(0.0, lambda: passed, 1)
    assert delay <= given <= delay * 1.1


def test_a_long_nap_that_the_progress_allows_ends_at_the_deadline_too(sas: Emulator) -> None:
    one = sensor("reschedule", start(), timeout=1000, poll_interval=10)()
    seen = [Sample(0.0, 0.0), Sample(450.0, 0.05), Sample(900.0, 0.1)]
    one._poller = Poller(read=call(READ), judge=OnceTaskJudge(), now=time.time, began=0.0, samples=seen)
    assert one._get_next_poke_interval(0.0, lambda: 900.0, 3) == 100
