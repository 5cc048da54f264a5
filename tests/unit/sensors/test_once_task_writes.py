"""What a sensor writes while it waits: on change, and not once for each read."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault
from tests.unit.airflow_task import FakeStore, FakeTask
from tests.unit.sensors.test_once_task import READ, sensor, start

REQUEST_LINK = "_link_RequestDiagnosisLink"


class CountingStore(FakeStore):
    """A store that notes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def set(self, key: str, value: Any, **more: Any) -> None:
        self.writes.append("set")
        super().set(key, value, **more)

    def delete(self, key: str) -> None:
        self.writes.append("delete")
        super().delete(key)


def test_the_link_is_written_when_the_status_changes_and_at_the_end(
    sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="airflow_provider_aegis")
    sas.set(seconds=0.6)
    task.run(sensor("poke", start()))
    assert sas.requests[READ] > 8
    assert task.pushed.count(REQUEST_LINK) <= len(("INIT", "START", "SUCCESS"))
    assert task.pushed.count("_link_SecurityCenterLink") == 1
    ours = [record for record in caplog.records if record.name.startswith("airflow_provider_aegis")]
    assert len([record for record in ours if record.levelno >= logging.INFO]) <= 3


def test_the_link_leads_to_the_error_and_back_to_the_answer(
    sas: Emulator, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_aegis.client.flows.exchange.MAX_ATTEMPTS", 1)
    sas.set(seconds=3600)
    one, context = sensor("poke", start())(), task.context
    addresses = []
    for fault in (None, "Throttling.User", "Throttling.User", "ServerError", None, None):
        if fault:
            sas.inject(READ, Fault.error(fault), times=1)
        assert one.poke(context) is False
        addresses.append(task.xcoms[REQUEST_LINK])
    one.hook.close()
    assert task.pushed.count(REQUEST_LINK) == 4
    assert ["Throttling.User" in address for address in addresses] == [False, True, True, False, False, False]
    assert ["ServerError" in address for address in addresses] == [False, False, False, True, False, False]
    assert addresses[1] == addresses[2]
    assert addresses[0] != addresses[4] == addresses[5]


def test_what_is_remembered_across_reschedules_is_written_on_change(sas: Emulator, task: FakeTask) -> None:
    task.store = store = CountingStore()
    sas.set(seconds=0.5)
    task.run(sensor("reschedule", start()))
    assert task.reschedules > 3
    assert store.writes == []


def test_a_task_that_is_not_known_yet_is_remembered_once_and_then_forgotten(sas: Emulator, task: FakeTask) -> None:
    task.store = store = CountingStore()
    sas.set(seconds=0.8, unknown_for=0.3)
    task.run(sensor("reschedule", start(), unknown_task_grace=60))
    assert task.reschedules > 3
    assert store.writes == ["set", "delete"]


def test_what_an_earlier_try_remembered_does_not_count_for_this_one(sas: Emulator, task: FakeTask) -> None:
    task.store = store = CountingStore()
    store["aegis_unknown_since"] = 1.0
    sas.set(seconds=0.3)
    assert task.run(sensor("reschedule", start(), unknown_task_grace=60))["TaskInfo"]["Status"] == "SUCCESS"
    assert store.writes == ["delete"]
