from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_aegis.emulator.payloads import leaf, management_row, named_machines, result, unfinished
from airflow_provider_aegis.emulator.tasks import Snapshot

RUNNING = Snapshot(
    task_id="38730bb078f4a1461d4ed283994c0000",
    task_type="IMAGE_SCAN",
    task_name="IMAGE_SCAN",
    param={},
    source="console",
    status="START",
    running=True,
    finish_count=1,
    total_count=10,
    percent=10,
    start_time=1671184531000,
    end_time=None,
    age=1.0,
)
ENDED = replace(
    RUNNING, status="SUCCESS", running=False, finish_count=10, percent=100, end_time=1671184541000, age=60.0
)

# As documented: the same fields are text in the one list and numbers in the other.
LEAF_TYPES = {
    "TaskId": str,
    "TaskName": str,
    "TaskType": str,
    "Status": str,
    "StatusText": str,
    "Progress": int,
    "Finish": int,
    "FinishCount": str,
    "TotalCount": str,
    "StartTime": int,
    "EndTime": int,
    "RealRunTime": int,
    "ResultInfo": str,
    "Target": str,
    "TargetType": str,
    "TaskImageInfo": dict,
}
UNFINISHED_TYPES = {**LEAF_TYPES, "Status": int, "FinishCount": int, "TotalCount": int}
MANAGEMENT_TYPES = {
    "TaskId": str,
    "TaskName": str,
    "TaskType": str,
    "TaskStatus": int,
    "TaskStatusText": str,
    "Progress": str,
    "SuccessCount": int,
    "FailCount": int,
    "ResultInfo": str,
    "TaskStartTime": int,
    "TaskEndTime": int,
    "DetailData": str,
    "TotalCount": int,
    "Source": str,
}


def types(record: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in record.items()}


def test_an_ended_leaf_has_every_documented_field_with_its_type() -> None:
    assert types(leaf(ENDED, 3, related=True)) == LEAF_TYPES
    assert all(isinstance(value, str) for value in leaf(ENDED, 3, related=True)["TaskImageInfo"].values())


def test_an_unfinished_record_has_the_same_fields_with_numbers() -> None:
    assert types(unfinished(RUNNING, "sha256:abc")).items() <= UNFINISHED_TYPES.items()
    assert unfinished(RUNNING, "sha256:abc").keys() == UNFINISHED_TYPES.keys() - {"EndTime", "ResultInfo"}


def test_an_ended_row_has_every_documented_field_with_its_type() -> None:
    row = management_row(replace(ENDED, task_type="CLIENT_PROBLEM_CHECK", param={"uuids": "a,b"}))
    assert types(row) == MANAGEMENT_TYPES


def test_progress_of_a_row_carries_a_percent_sign() -> None:
    assert management_row(RUNNING)["Progress"] == "10%"


@pytest.mark.parametrize(
    ("task", "number"),
    [
        (RUNNING, 1),
        (ENDED, 2),
        (replace(ENDED, status="FAIL"), 3),
        (replace(ENDED, status="NEVER_HEARD_OF"), 3),
        (replace(ENDED, status="TIMEOUT"), 4),
    ],
)
def test_a_row_gives_the_state_as_a_word_and_as_a_number(task: Snapshot, number: int) -> None:
    row = management_row(task)
    assert (row["TaskStatus"], row["TaskStatusText"]) == (number, task.status)


def test_a_running_row_has_neither_end_nor_result_nor_failures() -> None:
    row = management_row(RUNNING)
    assert {"TaskEndTime", "ResultInfo", "DetailData"}.isdisjoint(row)
    assert (row["SuccessCount"], row["FailCount"]) == (1, 0)
    assert management_row(replace(ENDED, status="FAIL", finish_count=9))["FailCount"] == 1


def test_a_diagnosis_tells_of_each_machine() -> None:
    param = {"mode": 1, "problemType": "offline", "uuids": "inet-a,inet-b"}
    row = management_row(replace(ENDED, task_type="CLIENT_PROBLEM_CHECK", param=param))
    assert [(entry["uuid"], entry["problemType"]) for entry in json.loads(row["DetailData"])] == [
        ("inet-a", "offline"),
        ("inet-b", "offline"),
    ]


def test_leaves_finish_one_after_another() -> None:
    first, second = leaf(RUNNING, 0, related=False), leaf(RUNNING, 1, related=False)
    assert (first["StatusText"], first["Finish"], first["Progress"], first["FinishCount"]) == ("SUCCESS", 1, 100, "1")
    assert (second["StatusText"], second["Finish"], second["Progress"], second["FinishCount"]) == ("START", 0, 0, "0")
    assert first["TaskId"] != second["TaskId"]
    assert first["Target"] != second["Target"]


def test_a_leaf_that_is_not_done_when_its_task_ends_ends_alike() -> None:
    last = leaf(replace(ENDED, status="TIMEOUT", finish_count=9), 9, related=False)
    assert (last["StatusText"], last["Finish"], last["ResultInfo"]) == ("TIMEOUT", 1, "TIMEOUT")


def test_only_image_scans_tell_of_an_image() -> None:
    machine = unfinished(replace(RUNNING, task_type="ASSETS_COLLECTION"), "uuid")
    assert ("TaskImageInfo" in machine, machine["TargetType"]) == (False, "UUID")


def test_a_result_of_nothing_has_a_null_task_info() -> None:
    assert result(None) == {"TaskId": 0, "TaskInfo": None}


def test_machines_are_named_in_one_text() -> None:
    assert named_machines(replace(RUNNING, param={"uuids": "a,b,"})) == ["a", "b"]
    assert named_machines(RUNNING) == []
