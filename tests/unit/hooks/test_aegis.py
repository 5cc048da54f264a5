"""The hook: an Airflow connection, the API's methods, the connection test."""

from __future__ import annotations

import asyncio
import json

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, PermissionDeniedError
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.hooks.aegis import AegisHook

SCAN = "VUL_CHECK_TASK"


def test_the_connection_is_read_when_it_is_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = AegisHook("nowhere")
    with pytest.raises(ConfigurationError, match=r"Connection 'nowhere' is not defined.*AIRFLOW_CONN_NOWHERE"):
        _ = hook.config


def test_the_connection_is_read_on_a_loop_as_well(sas: Emulator) -> None:
    config = asyncio.run(AegisHook().aget_config())
    assert config.endpoint.url == f"{sas.url}/"
    with pytest.raises(ConfigurationError, match="'nowhere' is not defined"):
        asyncio.run(AegisHook("nowhere").aget_config())


@pytest.mark.parametrize("answered", [True, False])
def test_the_connection_test_says_that_it_does_not_know_the_region(
    answered: bool, sas: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", sas.connection_json(region="cn-shangai"))
    if not answered:
        sas.inject("GetLastOnceTaskInfo", Fault.error("NoPermission", status=403))
    good, message = AegisHook().test_connection()
    assert good is answered
    assert "'cn-shangai' is not a known region" in message


def test_a_uri_connection_works(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"aegis://{sas.access_key_id}:{sas.access_key_secret}@http%3A%2F%2F127.0.0.1:{sas.port}/?region=cn-hangzhou"
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", uri)
    assert AegisHook("by_uri").test_connection()[0]


def test_methods_return_the_payload_unchanged(sas: Emulator) -> None:
    sas.set(last_task_newline=True, result_task_id="hex")
    with AegisHook() as hook:
        sas.finish(hook.generate_once_task(once_task_type=SCAN)["TaskId"])
        started = hook.generate_once_task(once_task_type=SCAN, once_task_name="mine", param='{"a":1}', source="s")
        assert started["CanCreate"] is True
        once_task_id = started["TaskId"]
        read = hook.get_once_task_result_info(once_task_id=once_task_id, once_task_type=SCAN, once_task_name="mine")
        assert read["TaskId"] == once_task_id
        last = hook.get_last_once_task_info(once_task_type=SCAN, once_task_name="mine", source="s")
        assert last["TaskId"] == once_task_id
        unfinished = hook.list_unfinished_once_task(once_task_type=SCAN, target="x")
        assert isinstance(unfinished["OnceTasks"], list)
        assert set(hook.cancel_once_task(once_task_id=once_task_id)) == {"RequestId"}
    assert sas.cancelled == [once_task_id]
    sent = next(line.params for line in sas.log if line.params.get("TaskName") == "mine")
    assert sent == {"TaskType": SCAN, "TaskName": "mine", "Param": '{"a":1}', "Source": "s"}


def test_the_name_is_the_type_and_the_param_an_object_where_they_are_not_given(sas: Emulator) -> None:
    with AegisHook() as hook:
        hook.generate_once_task(once_task_type=SCAN)
    assert sas.log[-1].params == {"TaskType": SCAN, "TaskName": SCAN, "Param": "{}"}


@pytest.mark.parametrize(("tasks", "pages"), [(0, 1), (1, 1), (2, 2), (3, 2), (5, 3)])
def test_describing_reads_all_pages(tasks: int, pages: int, sas: Emulator) -> None:
    sas.set(repeat_check="off")
    with AegisHook() as hook:
        for _ in range(tasks):
            hook.generate_once_task(once_task_type=SCAN)
        answers = list(hook.describe_once_task(once_task_type=SCAN, page_size=2))
        found = [task["TaskId"] for answer in answers for task in answer["TaskManageResponseList"]]
        assert sorted(found) == sorted(sas.started)
        leaves = list(hook.describe_once_task_leaf_record_page(once_task_type=SCAN, page_size=2))
        assert sum(len(answer["OnceTasks"]) for answer in leaves) >= tasks
    assert sas.requests["DescribeOnceTask"] == pages


def test_describing_needs_to_know_what(sas: Emulator) -> None:
    with pytest.raises(ConfigurationError, match="once_task_type or root_task_id"):
        AegisHook().describe_once_task()
    assert sas.requests == {}


def test_any_other_operation_can_be_called(sas: Emulator) -> None:
    with AegisHook() as hook:
        hook.call(
            "CreateVirusScanOnceTask", ScanType="user", ScanPath=["/a", "/b"], Param={"x": True}, SelectionKey=None
        )
    assert sas.log[-1].params == {"ScanType": "user", "ScanPath.1": "/a", "ScanPath.2": "/b", "Param.x": "true"}


def test_the_connection_test_says_who_answered_where(sas: Emulator) -> None:
    good, message = AegisHook().test_connection()
    assert good
    assert sas.access_key_id in message
    assert "cn-shanghai" in message
    assert f"127.0.0.1:{sas.port}" in message
    assert sum(sas.requests.values()) == 1


def test_the_connection_test_names_the_missing_permission(sas: Emulator) -> None:
    sas.set(denied=["*"])
    good, message = AegisHook().test_connection()
    assert not good
    assert "Grant yundun-aegis:GetLastOnceTaskInfo and yundun-sas:GetLastOnceTaskInfo" in message


def test_the_connection_test_names_a_wrong_secret(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = json.loads(sas.connection_json()) | {"password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", json.dumps(wrong))
    good, message = AegisHook().test_connection()
    assert not good
    assert "SignatureDoesNotMatch" in message
    assert "wrong" not in message


def test_the_connection_test_names_an_unusable_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", json.dumps({"conn_type": "aegis", "login": "a", "password": "b"}))
    good, message = AegisHook().test_connection()
    assert not good
    assert "Set the field Region" in message


def test_permission_errors_carry_what_the_service_says(sas: Emulator) -> None:
    sas.set(denied=["GenerateOnceTask"])
    with AegisHook() as hook, pytest.raises(PermissionDeniedError) as caught:
        hook.generate_once_task(once_task_type=SCAN)
    assert caught.value.auth_action
    assert caught.value.request_id


def test_server_text_is_escaped(sas: Emulator) -> None:
    sas.inject("*", Fault.error("Invalid\nCode", status=400, message="one\r\n\x1b[31mtwo"), times=1)
    with AegisHook() as hook, pytest.raises(Exception, match="Code") as caught:
        hook.call("DescribeVulList")
    assert str(caught.value).isprintable()
