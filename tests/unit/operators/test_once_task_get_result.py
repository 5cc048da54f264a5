"""The operator that reads once how a scan stands."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.errors import (
    ConfigurationError,
)
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator
from tests.unit.airflow_task import FakeTask
from tests.unit.operators.scans import READ, SCAN, scan


def test_the_result_is_read_once_and_unchanged(sas: Emulator, task: FakeTask) -> None:
    sas.set(result_task_id="hex", counts_as_text=True)
    once_task_id = task.run(scan(wait_for_completion=False))
    payload = task.run(
        lambda: AegisGetOnceTaskResultOperator(task_id="result", once_task_id=once_task_id, once_task_type=SCAN)
    )
    assert payload["TaskId"] == once_task_id
    assert payload["TotalCount"] == "44"
    assert sas.requests[READ] == 1
    assert "requestId=" in task.xcoms["_link_RequestDiagnosisLink"]


def test_the_result_of_an_empty_id_is_not_asked_for(sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(ConfigurationError, match="once_task_id is empty"):
        task.run(lambda: AegisGetOnceTaskResultOperator(task_id="r", once_task_id="None", once_task_type=SCAN))
    assert sas.requests == {}
