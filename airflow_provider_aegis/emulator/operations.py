"""The operations of the service: a table from action to what it needs and how it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_aegis.client.readers import READERS
from airflow_provider_aegis.emulator.errors import EmulatedError
from airflow_provider_aegis.emulator.payloads import Payload, leaf, management_row, named_machines, result, unfinished
from airflow_provider_aegis.emulator.readers import answer_of, required_of
from airflow_provider_aegis.emulator.tasks import TaskStore

Params = Mapping[str, str]

# The task types that DescribeOnceTask documents; it lists no others.
DESCRIBED_TYPES = frozenset(
    {"VUL_CHECK_TASK", "CLIENT_PROBLEM_CHECK", "CLIENT_DEV_OPS", "ASSET_SECURITY_CHECK", "ASSET_REFRESH_HOST"}
)
# The values of Source that are left where `source_filter` is "refused".
KNOWN_SOURCES = frozenset({"", "Manual", "schedule", "console"})


@dataclass(frozen=True, slots=True)
class Operation:
    """How an action is answered.

    :param answer: what makes the answer, but for its RequestId.
    :param required: parameters without which it is refused.
    """

    answer: Callable[[TaskStore, Params], Payload]
    required: tuple[str, ...] = ()


def find_operation(action: str) -> Operation:
    """Look an action up.

    :raises EmulatedError: if there is none of that name.
    """
    if action not in OPERATIONS:
        raise EmulatedError("InvalidAction.NotFound")
    return OPERATIONS[action]


def carry_out(operation: Operation, store: TaskStore, params: Params) -> Payload:
    """Answer a request.

    :raises EmulatedError: if its parameters do not do, or the service will not have it.
    """
    for name in operation.required:
        if not params.get(name):
            raise _missing(name)
    return operation.answer(store, params)


def _generate_once_task(store: TaskStore, params: Params) -> Payload:
    task_type, task_name, source = params["TaskType"], params["TaskName"], _source(store, params)
    last = next(store.newest(task_type=task_type, task_name=task_name), None)
    before = {"LastTask": last.task_id} if last else {}
    param = _json_object(params, "Param")
    task = store.start(task_type=task_type, task_name=task_name, param=param, source=source)
    if task is None:
        return {"CanCreate": False, **before}
    return {
        "CanCreate": True,
        "TaskId": task.task_id,
        **before,
        "CollectTime": task.start_time,
        "TotalCount": task.total,
        "FinishCount": 0,
    }


def _get_once_task_result_info(store: TaskStore, params: Params) -> Payload:
    task = store.find(params["TaskId"])
    if task is None or task.age < store.settings.unknown_for:
        return result(None)
    if (task.task_type, task.task_name) != (params["TaskType"], params["TaskName"]):
        return result(None)
    return result(task, Status=task.status)


def _get_last_once_task_info(store: TaskStore, params: Params) -> Payload:
    tasks = store.newest(
        task_type=params["TaskType"], task_name=params["TaskName"], source=_source_filter(store, params)
    )
    task = next(tasks, None)
    if task is None:
        return result(None)
    outcome = {} if task.running else {"Result": task.status}
    return result(task, Status=task.status, Progress=task.percent, **outcome)


def _describe_once_task(store: TaskStore, params: Params) -> Payload:
    if not (params.get("TaskType") or params.get("RootTaskId")):
        raise _missing("TaskType")
    # A root task has no others below it here, so both names mean the same.
    wanted = {params[name] for name in ("RootTaskId", "TaskId") if params.get(name)}
    earliest, latest = _span(params, "StartTimeQuery", "EndTimeQuery")
    repeats_source = store.settings.source_filter != "ignored"
    rows = [
        management_row(task, with_source=repeats_source)
        for task in store.newest(task_type=params.get("TaskType") or None, source=_source_filter(store, params))
        if task.task_type in DESCRIBED_TYPES and wanted <= {task.task_id} and earliest <= task.start_time <= latest
    ]
    return _page(params, "TaskManageResponseList", rows)


def _describe_once_task_leaf_record_page(store: TaskStore, params: Params) -> Payload:
    root = params.get("TaskId")
    words = {value for name, value in params.items() if name.startswith("StatusList.")}
    earliest, latest = _span(params, "StartTime", "EndTime")
    related = params["RelateInfo"].lower() == "true"
    rows = [
        record
        for task in store.newest(task_type=params["TaskType"], source=_source_filter(store, params))
        if root in (None, "", task.task_id) and earliest <= task.start_time <= latest
        for record in (leaf(task, number, related=related) for number in range(task.total_count))
        if not words or record["StatusText"] in words
    ]
    return _page(params, "OnceTasks", rows)


def _list_unfinished_once_task(store: TaskStore, params: Params) -> Payload:
    target = params.get("Target")
    if not target:
        raise EmulatedError("-101")
    rows = [
        unfinished(task, target)
        for task in store.newest(task_type=params["TaskType"])
        if task.running and target in (named_machines(task) or [target])
    ]
    return {"OnceTasks": rows}


def _cancel_once_task(store: TaskStore, params: Params) -> Payload:
    store.cancel(params["TaskId"])
    return {}


def _create_virus_scan_once_task(store: TaskStore, params: Params) -> Payload:
    store.scan_viruses(params)
    return {}


# Adding an operation is a line here.
OPERATIONS: dict[str, Operation] = {
    "GenerateOnceTask": Operation(_generate_once_task, ("TaskType", "TaskName", "Param")),
    "GetOnceTaskResultInfo": Operation(_get_once_task_result_info, ("TaskType", "TaskName", "TaskId")),
    "GetLastOnceTaskInfo": Operation(_get_last_once_task_info, ("TaskType", "TaskName")),
    "DescribeOnceTask": Operation(_describe_once_task),
    "DescribeOnceTaskLeafRecordPage": Operation(
        _describe_once_task_leaf_record_page, ("TaskType", "CurrentPage", "PageSize", "RelateInfo")
    ),
    "ListUnfinishedOnceTask": Operation(_list_unfinished_once_task, ("TaskType",)),
    "CancelOnceTask": Operation(_cancel_once_task, ("TaskId",)),
    "CreateVirusScanOnceTask": Operation(_create_virus_scan_once_task),
    **{action: Operation(answer_of(reader), required_of(reader)) for action, reader in READERS.items()},
}


def _missing(name: str) -> EmulatedError:
    return EmulatedError("MissingParameter", f"The parameter {name} is required.")


def _source(store: TaskStore, params: Params) -> str:
    source = params.get("Source", "")
    if store.settings.source_filter == "refused" and source not in KNOWN_SOURCES:
        raise EmulatedError("InvalidParameter", "Source has a value that is not known.")
    return source


def _source_filter(store: TaskStore, params: Params) -> str | None:
    source = _source(store, params)
    return None if store.settings.source_filter == "ignored" else source or None


def _page(params: Params, name: str, rows: list[Payload]) -> Payload:
    page, size = _whole(params, "CurrentPage", 1, least=1), _whole(params, "PageSize", 20, least=1)
    shown = rows[(page - 1) * size : page * size]
    info = {"Count": len(shown), "CurrentPage": page, "PageSize": size, "TotalCount": len(rows)}
    return {"PageInfo": info, name: shown}


def _span(params: Params, first: str, last: str) -> tuple[int, int]:
    return _whole(params, first, 0), _whole(params, last, 2**63 - 1)


def _whole(params: Params, name: str, default: int, *, least: int = 0) -> int:
    text = params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) >= least):
        raise EmulatedError("InvalidParameter", f"{name} is not a whole number from {least}.")
    return int(text)


def _json_object(params: Params, name: str) -> dict[str, Any]:
    # That the service refuses anything else is likely, and documented nowhere.
    try:
        value = json.loads(params[name])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise EmulatedError("InvalidParameter", f"{name} is not a JSON object.")
    return value
