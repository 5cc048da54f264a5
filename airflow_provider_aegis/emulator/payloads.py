"""How a task looks in each answer that speaks of it: fields and types, as unevenly as they are documented."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_aegis.client.jobs.once_task import Phase, classify
from airflow_provider_aegis.client.protocol.signing import sha256_hex
from airflow_provider_aegis.emulator.tasks import Snapshot

Payload = dict[str, Any]

# DescribeOnceTask gives the state as a number as well; every other word of an ended task counts as failed.
STARTED, COMPLETED, FAILED, TIMED_OUT = 1, 2, 3, 4
TASK_STATUS = {Phase.SUCCESS: COMPLETED, Phase.TIMEOUT: TIMED_OUT}


def result(task: Snapshot | None, **info: Any) -> Payload:
    """Describe a task as the two operations do that ask for its result.

    :param task: ``None`` for one that is not known.
    :param info: members of TaskInfo.
    """
    if task is None:
        return {"TaskId": 0, "TaskInfo": None}
    return {
        "CollectTime": task.start_time,
        "TotalCount": task.total_count,
        "FinishCount": task.finish_count,
        "TaskId": task.task_id,
        "TaskInfo": info,
    }


def management_row(task: Snapshot, *, with_source: bool = True) -> Payload:
    """Describe a task as DescribeOnceTask does.

    :param with_source: whether to repeat the Source that the task was started with.
    """
    row: Payload = {
        "TaskId": task.task_id,
        "TaskName": task.task_name,
        "TaskType": task.task_type,
        "TaskStatus": STARTED if task.running else TASK_STATUS.get(classify(task.status), FAILED),
        "TaskStatusText": task.status,
        "Progress": f"{task.percent}%",
        "SuccessCount": task.finish_count,
        "FailCount": 0 if task.running else task.total_count - task.finish_count,
        "TotalCount": task.total_count,
        "TaskStartTime": task.start_time,
    }
    if with_source:
        row["Source"] = task.source
    if task.running:
        return row
    row["TaskEndTime"] = task.end_time
    row["ResultInfo"] = "successful" if task.status == "SUCCESS" else task.status
    if task.task_type == "CLIENT_PROBLEM_CHECK":
        row["DetailData"] = json.dumps([_diagnosis(task, uuid) for uuid in named_machines(task)])
    return row


def leaf(task: Snapshot, number: int, *, related: bool) -> Payload:
    """Describe one of a task's items as DescribeOnceTaskLeafRecordPage does, with some of its numbers as text.

    :param number: which of them, from 0.
    :param related: whether to say which image it is.
    """
    done = number < task.finish_count
    finished = done or not task.running
    record = _record(task, status="SUCCESS" if done else task.status, finished=finished)
    record |= {
        "TaskId": f"{task.task_id[:-4]}{number:04x}",
        "Status": str(int(finished)),
        "Progress": 100 * finished,
        "FinishCount": str(int(finished)),
        "TotalCount": "1",
        **_target(task, f"sha256:{sha256_hex(f'{task.task_id}/{number}'.encode())}", related=related),
    }
    return record


def unfinished(task: Snapshot, target: str) -> Payload:
    """Describe a running task as ListUnfinishedOnceTask does, with numbers throughout.

    :param target: the image or machine that was asked for.
    """
    record = _record(task, status=task.status, finished=False)
    record |= {
        "TaskId": task.task_id,
        "Status": 0,
        "Progress": task.percent,
        "FinishCount": task.finish_count,
        "TotalCount": task.total_count,
        **_target(task, target, related=True),
    }
    return record


def named_machines(task: Snapshot) -> list[str]:
    """The machines that a task's Param names; none if it goes over all of them."""
    return [uuid for uuid in str(task.param.get("uuids", "")).split(",") if uuid]


def _record(task: Snapshot, *, status: str, finished: bool) -> Payload:
    record: Payload = {
        "TaskName": task.task_name,
        "TaskType": task.task_type,
        "StatusText": status,
        "Finish": int(finished),
        "StartTime": task.start_time,
        "RealRunTime": task.start_time,
    }
    if finished:
        record["ResultInfo"] = status
    if task.end_time is not None:
        record["EndTime"] = task.end_time
    return record


def _target(task: Snapshot, target: str, *, related: bool) -> Payload:
    if task.task_type != "IMAGE_SCAN":
        return {"Target": target, "TargetType": "UUID"}
    named: Payload = {"Target": target, "TargetType": "IMAGE"}
    return named | {"TaskImageInfo": _image(target)} if related else named


def _image(digest: str) -> dict[str, str]:
    return {
        "Digest": digest,
        "Image": f"registry.invalid/emulated/app:{digest[-8:]}",
        "RegionId": "cn-shanghai",
        "RepoId": "crr-emulated",
        "RepoName": "app",
        "RepoNamespace": "emulated",
        "RepoRegionId": "cn-shanghai",
        "Tag": digest[-8:],
    }


def _diagnosis(task: Snapshot, uuid: str) -> dict[str, str]:
    return {
        "uuid": uuid,
        "instanceName": "emulated",
        "problemType": str(task.param.get("problemType", "")),
        "causeCode": "0",
        "causeMsg": "",
        "resCode": "0",
        "resMsg": "",
    }
