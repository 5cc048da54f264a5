"""What ``Source`` does, in each of the three ways that the service may treat it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.emulator import Control, Emulator
from tests.unit.emulator.support import KIND, Caller, make_caller

TOKEN = "airflow:0123456789abcdef"
LEAVES = {"TaskType": "IMAGE_SCAN", "CurrentPage": 1, "PageSize": 20, "RelateInfo": "true"}
READS: list[tuple[str, dict[str, Any]]] = [
    ("GetLastOnceTaskInfo", KIND),
    ("DescribeOnceTask", {"TaskType": "VUL_CHECK_TASK"}),
    ("DescribeOnceTaskLeafRecordPage", LEAVES),
]


def _described(caller: Caller, **params: Any) -> list[dict[str, Any]]:
    payload = caller.ask("DescribeOnceTask", TaskType="VUL_CHECK_TASK", **params).payload
    rows: list[dict[str, Any]] = payload["TaskManageResponseList"]
    return rows


def _leaves(caller: Caller, **params: Any) -> int:
    return int(caller.ask("DescribeOnceTaskLeafRecordPage", **LEAVES, **params).payload["PageInfo"]["TotalCount"])


def test_an_honoured_source_is_repeated_and_finds_its_task_alone() -> None:
    caller = make_caller(repeat_check="off")
    ours, other = caller.start(Source=TOKEN), caller.start()
    caller.start("IMAGE_SCAN", Source=TOKEN)
    assert [(row["TaskId"], row["Source"]) for row in _described(caller)] == [(other, ""), (ours, TOKEN)]
    assert [row["TaskId"] for row in _described(caller, Source=TOKEN)] == [ours]
    assert _leaves(caller, Source=TOKEN) == 44
    assert _leaves(caller, Source="console") == 0
    assert caller.ask("GetLastOnceTaskInfo", Source="console", **KIND).payload["TaskInfo"] is None


def test_an_ignored_source_is_stored_and_neither_repeated_nor_filtered_by() -> None:
    caller = make_caller(repeat_check="off", source_filter="ignored")
    ours, other = caller.start(Source=TOKEN), caller.start()
    caller.start("IMAGE_SCAN")
    assert [row["TaskId"] for row in _described(caller, Source=TOKEN)] == [other, ours]
    assert not any("Source" in row for row in _described(caller))
    assert caller.ask("GetLastOnceTaskInfo", Source="console", **KIND).payload["TaskInfo"] is not None
    assert _leaves(caller, Source=TOKEN) == 44
    assert {task["source"] for task in caller.account.state()["tasks"]} == {TOKEN, ""}


def test_a_source_that_is_refused_starts_nothing() -> None:
    caller = make_caller(source_filter="refused")
    answered = caller.ask("GenerateOnceTask", Param="{}", Source=TOKEN, **KIND)
    assert (answered.status, answered.code) == (400, "InvalidParameter")
    assert "Source" in answered.payload["Message"]
    assert caller.account.state()["started"] == []


@pytest.mark.parametrize(("action", "params"), READS)
def test_a_read_by_a_source_that_is_refused_is_refused(action: str, params: dict[str, Any]) -> None:
    caller = make_caller(source_filter="refused")
    assert caller.ask(action, Source=TOKEN, **params).code == "InvalidParameter"
    assert caller.ask(action, **params).status == 200


@pytest.mark.parametrize("source", ["", "Manual", "schedule", "console"])
def test_the_known_values_of_source_are_taken_where_others_are_refused(source: str) -> None:
    caller = make_caller(source_filter="refused")
    ours = caller.start(Source=source)
    assert [row["TaskId"] for row in _described(caller, Source=source)] == [ours]


@pytest.mark.parametrize("task_type", ["IMAGE_SCAN", "ASSETS_COLLECTION", "NEVER_HEARD_OF"])
def test_describing_lists_only_the_documented_types(caller: Caller, task_type: str) -> None:
    task_id = caller.start(task_type)
    for asked in ({"TaskType": task_type}, {"RootTaskId": task_id}):
        payload = caller.ask("DescribeOnceTask", **asked).payload
        assert (payload["TaskManageResponseList"], payload["PageInfo"]["TotalCount"]) == ([], 0)


def test_the_filter_is_set_over_http_as_well(sas: Emulator) -> None:
    Control(sas.url).set(source_filter="ignored")
    assert sas.state["settings"]["source_filter"] == "ignored"
    with pytest.raises(ValueError, match="the setting source_filter cannot be 'maybe'"):
        sas.set(source_filter="maybe")
