from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.jobs.once_task import (
    OnceTaskRef,
    cancel_once_task,
    generate_once_task,
    param_text,
)
from airflow_provider_aegis.client.protocol.operations import Call
from airflow_provider_aegis.client.protocol.validation import check_text


def parts(call: Call) -> tuple[str, dict[str, Any]]:
    return call.operation.name, {name: value for name, value in call.params.items() if value is not None}


@pytest.mark.parametrize(
    ("call", "action", "params"),
    [
        (
            generate_once_task(once_task_type="VUL_CHECK_TASK", once_task_name="", source=""),
            "GenerateOnceTask",
            {"TaskType": "VUL_CHECK_TASK", "TaskName": "VUL_CHECK_TASK", "Param": "{}"},
        ),
        (
            generate_once_task(once_task_type=" T\n", once_task_name="N", param={"mode": 1}, source="S"),
            "GenerateOnceTask",
            {"TaskType": "T", "TaskName": "N", "Param": '{"mode":1}', "Source": "S"},
        ),
        (
            OnceTaskRef(once_task_id=" t1\n", once_task_type="T").read(),
            "GetOnceTaskResultInfo",
            {"TaskType": "T", "TaskName": "T", "TaskId": "t1"},
        ),
        (
            OnceTaskRef(once_task_id="t1", once_task_type="T", once_task_name="N").read(),
            "GetOnceTaskResultInfo",
            {"TaskType": "T", "TaskName": "N", "TaskId": "t1"},
        ),
        (
            OnceTaskRef(once_task_type="T").read_last(""),
            "GetLastOnceTaskInfo",
            {"TaskType": "T", "TaskName": "T"},
        ),
        (
            OnceTaskRef(once_task_type="T", once_task_name="N").read_last("S"),
            "GetLastOnceTaskInfo",
            {"TaskType": "T", "TaskName": "N", "Source": "S"},
        ),
        (cancel_once_task("t1 "), "CancelOnceTask", {"TaskId": "t1"}),
    ],
)
def test_calls(call: Call, action: str, params: dict[str, Any]) -> None:
    assert parts(call) == (action, params)


@pytest.mark.parametrize("empty", ["", "  ", "\n", "None", " None ", None])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("once_task_id", lambda text: cancel_once_task(text)),
        ("once_task_id", lambda text: OnceTaskRef(once_task_id=text, once_task_type="T").read()),
        ("once_task_type", lambda text: OnceTaskRef(once_task_id="t1", once_task_type=text).read()),
        ("once_task_type", lambda text: generate_once_task(once_task_type=text)),
        ("once_task_type", lambda text: OnceTaskRef(once_task_type=text).read_last()),
        ("anything", lambda text: check_text("anything", text)),
    ],
)
def test_an_empty_argument_is_refused_by_its_name(empty: str | None, name: str, make: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is empty.*XCom"):
        make(empty)


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (None, "{}"),
        ("", "{}"),
        (" \n", "{}"),
        ({}, "{}"),
        ({"mode": 1, "uuids": "a,b"}, '{"mode":1,"uuids":"a,b"}'),
        ({"note": "账号 é"}, '{"note":"账号 é"}'),
        (' {"mode": 1, "x": [1.50]}\n', '{"mode": 1, "x": [1.50]}'),
    ],
    ids=str,
)
def test_options_are_the_text_of_a_json_object(param: Any, text: str) -> None:
    assert param_text(param) == text


@pytest.mark.parametrize(
    ("param", "says"),
    [
        ('{"mode": 1', "line 1 column 11"),
        ('{\n "mode": 1,\n "x" 2}', "line 3 column 6"),
        ("{'mode': 1}", "line 1 column 2"),
        ("mode=1", "line 1 column 1"),
        ("[1]", "list"),
        ('"text"', "str"),
        ("null", "NoneType"),
        ("1", "int"),
        ('{"mode": NaN}', "NaN"),
        ('{"mode": -Infinity}', "Infinity"),
        ("[" * 100_000, ""),
        ({"mode": float("nan")}, ""),
        ({"mode": float("inf")}, ""),
        ({"mode": object()}, "object"),
        ({"mode": {1, 2}}, "set"),
        ({("a", "b"): 1}, ""),
        ([1], "list"),
        (1, "int"),
        (True, "bool"),
        (b"{}", "bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_options_that_are_no_json_object_are_refused_and_it_says_why(param: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^param.*{says}"):
        param_text(param)


def test_options_that_contain_themselves_are_refused() -> None:
    param: dict[str, Any] = {}
    param["again"] = param
    with pytest.raises(ConfigurationError, match="param"):
        param_text(param)


def test_options_may_be_any_mapping() -> None:
    assert param_text(MappingProxyType({"mode": 1})) == '{"mode":1}'


@pytest.mark.parametrize("name", [None, "", "  ", "None"])
def test_a_name_that_a_template_made_of_nothing_is_the_type(name: str | None) -> None:
    assert generate_once_task(once_task_type="T", once_task_name=name).params["TaskName"] == "T"
    assert OnceTaskRef(once_task_type="T", once_task_name=name).read_last().params["TaskName"] == "T"
