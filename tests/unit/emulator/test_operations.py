from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_aegis.client.protocol import operations as client_operations
from airflow_provider_aegis.client.readers import READERS
from airflow_provider_aegis.emulator.operations import OPERATIONS
from tests.unit.emulator.support import KIND, Caller, make_caller

LEAVES = {"TaskType": "IMAGE_SCAN", "CurrentPage": 1, "PageSize": 20, "RelateInfo": "true"}


def test_there_is_every_operation_that_the_client_knows() -> None:
    assert OPERATIONS.keys() == client_operations.OPERATIONS.keys() | READERS.keys()


@pytest.mark.parametrize(
    ("action", "name"), [(action, name) for action, operation in OPERATIONS.items() for name in operation.required]
)
def test_a_missing_parameter_is_named(caller: Caller, action: str, name: str) -> None:
    params: dict[str, Any] = dict.fromkeys(OPERATIONS[action].required, "1")
    for absent in ({name: None}, {name: ""}):
        answered = caller.ask(action, **{**params, **absent})
        assert (answered.status, answered.code) == (400, "MissingParameter")
        assert name in answered.payload["Message"]


def test_starting_answers_the_new_id_and_the_one_before(caller: Caller) -> None:
    first = caller.ask("GenerateOnceTask", Param='{"a": 1}', Source="console", **KIND).payload
    assert first.keys() == {"RequestId", "CanCreate", "TaskId", "CollectTime", "TotalCount", "FinishCount"}
    assert (first["CanCreate"], first["TotalCount"], first["FinishCount"]) == (True, 44, 0)
    assert first["CollectTime"] == int(caller.clock.time() * 1000)
    assert len(first["TaskId"]) == 32
    caller.clock.advance(10)
    second = caller.ask("GenerateOnceTask", Param="{}", **KIND).payload
    assert second["LastTask"] == first["TaskId"] != second["TaskId"]
    task = caller.account.state()["tasks"][1]
    assert (task["param"], task["source"]) == ({"a": 1}, "console")


def test_beyond_the_limit_nothing_is_created_with_http_200() -> None:
    caller = make_caller(running_limit=10, requests_per_second=0)
    for number in range(10):
        caller.start(f"KIND_{number}")
    answered = caller.ask("GenerateOnceTask", Param="{}", **KIND)
    assert answered.status == 200
    assert answered.payload.keys() == {"RequestId", "CanCreate"}
    assert answered.payload["CanCreate"] is False
    assert len(caller.account.state()["started"]) == 10


def test_a_second_run_of_a_kind_is_refused(caller: Caller) -> None:
    caller.start()
    answered = caller.ask("GenerateOnceTask", Param='{"other": true}', **KIND)
    assert (answered.status, answered.code) == (400, "TaskRepeat")


@pytest.mark.parametrize("param", ["nonsense", "[]", "1", "[" * 100_000])
def test_a_param_that_is_no_object_is_refused(caller: Caller, param: str) -> None:
    answered = caller.ask("GenerateOnceTask", Param=param, **KIND)
    assert (answered.status, answered.code) == (400, "InvalidParameter")
    assert caller.account.state()["started"] == []


def test_a_result_tells_how_far_a_task_is(caller: Caller) -> None:
    task_id = caller.start()
    caller.clock.advance(5)
    payload = caller.result(task_id)
    assert payload.keys() == {"RequestId", "CollectTime", "TotalCount", "FinishCount", "TaskId", "TaskInfo"}
    assert payload["TaskInfo"] == {"Status": "START"}
    assert (payload["FinishCount"], payload["TotalCount"], payload["TaskId"]) == (22, 44, 0)
    caller.clock.advance(5)
    assert caller.result(task_id)["TaskInfo"] == {"Status": "SUCCESS"}


def test_a_result_of_an_unknown_task_or_of_another_kind_is_empty(caller: Caller) -> None:
    task_id = caller.start()
    other = caller.ask("GetOnceTaskResultInfo", TaskType="IMAGE_SCAN", TaskName="IMAGE_SCAN", TaskId=task_id)
    for payload in (caller.result("unknown"), other.payload):
        assert payload.keys() == {"RequestId", "TaskId", "TaskInfo"}
        assert payload["TaskInfo"] is None


def test_a_task_can_be_unknown_at_first() -> None:
    caller = make_caller(unknown_for=2)
    task_id = caller.start()
    assert caller.result(task_id)["TaskInfo"] is None
    caller.clock.advance(2)
    assert caller.result(task_id)["TaskInfo"] == {"Status": "START"}


def test_the_last_task_is_the_newest_of_its_kind_and_source(caller: Caller) -> None:
    caller.start(Source="console")
    caller.clock.advance(10)
    caller.start(Source="schedule")
    caller.clock.advance(5)
    newest = caller.ask("GetLastOnceTaskInfo", **KIND).payload
    assert newest["TaskInfo"] == {"Status": "START", "Progress": 50}
    older = caller.ask("GetLastOnceTaskInfo", Source="console", **KIND).payload
    assert older["TaskInfo"] == {"Status": "SUCCESS", "Progress": 100, "Result": "SUCCESS"}


def test_the_last_task_of_a_kind_that_never_ran_is_null(caller: Caller) -> None:
    caller.start()
    payload = caller.ask("GetLastOnceTaskInfo", TaskType="IMAGE_SCAN", TaskName="IMAGE_SCAN").payload
    assert payload["TaskInfo"] is None


def test_describing_needs_a_type_or_a_root(caller: Caller) -> None:
    answered = caller.ask("DescribeOnceTask", CurrentPage=1)
    assert (answered.status, answered.code) == (400, "MissingParameter")
    root = caller.start()
    assert caller.ask("DescribeOnceTask", RootTaskId=root).payload["PageInfo"]["TotalCount"] == 1


def test_described_tasks_come_in_pages_newest_first() -> None:
    caller = make_caller(repeat_check="off")
    ids = [caller.start() for _ in range(5)]
    first = caller.ask("DescribeOnceTask", TaskType="VUL_CHECK_TASK", CurrentPage=1, PageSize=2).payload
    last = caller.ask("DescribeOnceTask", TaskType="VUL_CHECK_TASK", CurrentPage=3, PageSize=2).payload
    beyond = caller.ask("DescribeOnceTask", TaskType="VUL_CHECK_TASK", CurrentPage=4, PageSize=2).payload
    assert first["PageInfo"] == {"Count": 2, "CurrentPage": 1, "PageSize": 2, "TotalCount": 5}
    assert [row["TaskId"] for row in first["TaskManageResponseList"]] == [ids[4], ids[3]]
    assert [row["TaskId"] for row in last["TaskManageResponseList"]] == [ids[0]]
    assert beyond["TaskManageResponseList"] == []
    assert beyond["PageInfo"]["Count"] == 0


def test_described_tasks_are_filtered(caller: Caller) -> None:
    first = caller.start(Source="console")
    began = int(caller.clock.time() * 1000)
    caller.clock.advance(10)
    second = caller.start(Source="schedule")

    def described(**params: Any) -> list[str]:
        answered = caller.ask("DescribeOnceTask", TaskType="VUL_CHECK_TASK", **params)
        return [row["TaskId"] for row in answered.payload["TaskManageResponseList"]]

    assert described() == [second, first]
    assert described(Source="console") == [first]
    assert described(TaskId=second) == [second]
    assert described(TaskId=second, RootTaskId=first) == []
    assert described(StartTimeQuery=began + 1) == [second]
    assert described(EndTimeQuery=began) == [first]


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "9" * 30])
def test_a_page_that_is_no_number_is_refused(caller: Caller, value: str) -> None:
    answered = caller.ask("DescribeOnceTask", TaskType="VUL_CHECK_TASK", CurrentPage=value)
    assert (answered.status, answered.code) == (400, "InvalidParameter")
    assert "CurrentPage" in answered.payload["Message"]


def test_a_task_has_a_leaf_for_each_item(caller: Caller) -> None:
    task_id = caller.start("IMAGE_SCAN")
    caller.clock.advance(5)
    page = caller.ask("DescribeOnceTaskLeafRecordPage", TaskId=task_id, **LEAVES).payload
    assert page["PageInfo"] == {"Count": 20, "CurrentPage": 1, "PageSize": 20, "TotalCount": 44}
    assert len({leaf["TaskId"] for leaf in page["OnceTasks"]}) == 20
    assert "TaskImageInfo" in page["OnceTasks"][0]
    bare = caller.ask("DescribeOnceTaskLeafRecordPage", **{**LEAVES, "RelateInfo": "false"}).payload
    assert "TaskImageInfo" not in bare["OnceTasks"][0]


def test_leaves_are_filtered_by_status_root_source_and_time(caller: Caller) -> None:
    task_id = caller.start("IMAGE_SCAN", Source="console")
    began = int(caller.clock.time() * 1000)
    caller.clock.advance(5)

    def count(**params: Any) -> int:
        answered = caller.ask("DescribeOnceTaskLeafRecordPage", **LEAVES, **params)
        return int(answered.payload["PageInfo"]["TotalCount"])

    assert count() == count(TaskId=task_id) == count(Source="console") == 44
    assert count(StatusList=["SUCCESS"]) == count(StatusList=["START"]) == 22
    assert count(StatusList=["INIT", "TIMEOUT"]) == 0
    assert count(StatusList=["SUCCESS", "START"]) == 44
    assert count(TaskId="unknown") == count(Source="schedule") == count(StartTime=began + 1) == 0
    caller.clock.advance(1)
    assert count(EndTime=began) == 44
    assert count(EndTime=began - 1) == 0


def test_unfinished_tasks_are_asked_for_by_target(caller: Caller) -> None:
    refused = caller.ask("ListUnfinishedOnceTask", TaskType="ASSETS_COLLECTION")
    assert (refused.status, refused.code) == (400, "-101")
    task_id = caller.start("ASSETS_COLLECTION")
    running = caller.ask("ListUnfinishedOnceTask", TaskType="ASSETS_COLLECTION", Target="machine").payload
    assert [(row["TaskId"], row["Target"]) for row in running["OnceTasks"]] == [(task_id, "machine")]
    caller.clock.advance(10)
    assert caller.ask("ListUnfinishedOnceTask", TaskType="ASSETS_COLLECTION", Target="machine").payload[
        "OnceTasks"
    ] == ([])


def test_a_task_that_names_its_machines_is_unfinished_for_them_alone(caller: Caller) -> None:
    caller.start("CLIENT_PROBLEM_CHECK", param=json.dumps({"uuids": "one,two"}))

    def found(target: str) -> int:
        answered = caller.ask("ListUnfinishedOnceTask", TaskType="CLIENT_PROBLEM_CHECK", Target=target)
        return len(answered.payload["OnceTasks"])

    assert (found("one"), found("two"), found("three")) == (1, 1, 0)


def test_cancelling_answers_nothing_but_a_request_id(caller: Caller) -> None:
    task_id = caller.start()
    for cancelled in (task_id, task_id, "unknown"):
        answered = caller.ask("CancelOnceTask", TaskId=cancelled)
        assert answered.status == 200
        assert answered.payload.keys() == {"RequestId"}
    assert caller.result(task_id)["TaskInfo"] == {"Status": "FAIL"}
    assert caller.account.state()["cancelled"] == [task_id]
    caller.start()


def test_a_virus_scan_answers_no_id(caller: Caller) -> None:
    answered = caller.ask("CreateVirusScanOnceTask", ScanType="user", ScanPath=["/tmp", "/var"], DryRun=False)
    assert answered.status == 200
    assert answered.payload.keys() == {"RequestId"}
    scan = {"ScanType": "user", "ScanPath.1": "/tmp", "ScanPath.2": "/var", "DryRun": "false"}
    assert caller.account.state()["virus_scans"] == [scan]
