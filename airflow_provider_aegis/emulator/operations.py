"""The operations of the service: a table from action to what it needs and how it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_aegis.emulator.errors import RefusalError
from airflow_provider_aegis.emulator.payloads import Answer, leaf, management_row, named_machines, result, unfinished
from airflow_provider_aegis.emulator.tasks import TaskService

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

    answer: Callable[[TaskService, Params], Answer]
    required: tuple[str, ...] = ()


def find_operation(action: str) -> Operation:
    """Look an action up.

    :raises RefusalError: if there is none of that name.
    """
    if action not in OPERATIONS:
        raise RefusalError("InvalidAction.NotFound")
    return OPERATIONS[action]


def carry_out(operation: Operation, service: TaskService, params: Params) -> Answer:
    """Answer a request.

    :raises RefusalError: if its parameters do not do, or the service will not have it.
    """
    for name in operation.required:
        if not params.get(name):
            raise _missing(name)
    return operation.answer(service, params)


def _generate_once_task(service: TaskService, params: Params) -> Answer:
    task_type, task_name, source = params["TaskType"], params["TaskName"], _source(service, params)
    last = next(service.newest(task_type=task_type, task_name=task_name), None)
    before = {"LastTask": last.task_id} if last else {}
    param = _json_object(params, "Param")
    task = service.start(task_type=task_type, task_name=task_name, param=param, source=source)
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


def _get_once_task_result_info(service: TaskService, params: Params) -> Answer:
    task = service.find(params["TaskId"])
    if task is None or task.age < service.settings.unknown_for:
        return result(None)
    if (task.task_type, task.task_name) != (params["TaskType"], params["TaskName"]):
        return result(None)
    return result(task, Status=task.status)


def _get_last_once_task_info(service: TaskService, params: Params) -> Answer:
    tasks = service.newest(
        task_type=params["TaskType"], task_name=params["TaskName"], source=_source_filter(service, params)
    )
    task = next(tasks, None)
    if task is None:
        return result(None)
    outcome = {} if task.running else {"Result": task.status}
    return result(task, Status=task.status, Progress=task.percent, **outcome)


def _describe_once_task(service: TaskService, params: Params) -> Answer:
    if not (params.get("TaskType") or params.get("RootTaskId")):
        raise _missing("TaskType")
    # A root task has no others below it here, so both names mean the same.
    wanted = {params[name] for name in ("RootTaskId", "TaskId") if params.get(name)}
    earliest, latest = _span(params, "StartTimeQuery", "EndTimeQuery")
    repeats_source = service.settings.source_filter != "ignored"
    rows = [
        management_row(task, with_source=repeats_source)
        for task in service.newest(task_type=params.get("TaskType") or None, source=_source_filter(service, params))
        if task.task_type in DESCRIBED_TYPES and wanted <= {task.task_id} and earliest <= task.start_time <= latest
    ]
    return _page(params, "TaskManageResponseList", rows)


def _describe_once_task_leaf_record_page(service: TaskService, params: Params) -> Answer:
    root = params.get("TaskId")
    words = {value for name, value in params.items() if name.startswith("StatusList.")}
    earliest, latest = _span(params, "StartTime", "EndTime")
    related = params["RelateInfo"].lower() == "true"
    rows = [
        record
        for task in service.newest(task_type=params["TaskType"], source=_source_filter(service, params))
        if root in (None, "", task.task_id) and earliest <= task.start_time <= latest
        for record in (leaf(task, number, related=related) for number in range(task.total_count))
        if not words or record["StatusText"] in words
    ]
    return _page(params, "OnceTasks", rows)


def _list_unfinished_once_task(service: TaskService, params: Params) -> Answer:
    target = params.get("Target")
    if not target:
        raise RefusalError("-101")
    rows = [
        unfinished(task, target)
        for task in service.newest(task_type=params["TaskType"])
        if task.running and target in (named_machines(task) or [target])
    ]
    return {"OnceTasks": rows}


def _cancel_once_task(service: TaskService, params: Params) -> Answer:
    service.cancel(params["TaskId"])
    return {}


def _create_virus_scan_once_task(service: TaskService, params: Params) -> Answer:
    service.scan_viruses(params)
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
}


def _missing(name: str) -> RefusalError:
    return RefusalError("MissingParameter", f"The parameter {name} is required.")


def _source(service: TaskService, params: Params) -> str:
    source = params.get("Source", "")
    if service.settings.source_filter == "refused" and source not in KNOWN_SOURCES:
        raise RefusalError("InvalidParameter", "Source has a value that is not known.")
    return source


def _source_filter(service: TaskService, params: Params) -> str | None:
    source = _source(service, params)
    return None if service.settings.source_filter == "ignored" else source or None


def _page(params: Params, name: str, rows: list[Answer]) -> Answer:
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
        raise RefusalError("InvalidParameter", f"{name} is not a whole number from {least}.")
    return int(text)


def _json_object(params: Params, name: str) -> dict[str, Any]:
    # That the service refuses anything else is likely, and documented nowhere.
    try:
        value = json.loads(params[name])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RefusalError("InvalidParameter", f"{name} is not a JSON object.")
    return value
