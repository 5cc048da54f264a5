"""Where the real service's answers are uneven: each oddity a function, and the setting that switches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_aegis.emulator.settings import Settings

COUNTS = ("TotalCount", "FinishCount")

Payload = dict[str, Any]


def apply_quirks(answer: Payload, settings: Settings) -> None:
    """Change an answer as the settings say."""
    for name, change in ODDITIES.items():
        change(answer, getattr(settings, name))


def _result_task_id(answer: Payload, kind: str) -> None:
    if "TaskInfo" not in answer or kind == "hex":
        return
    del answer["TaskId"]
    if kind == "zero":
        answer["TaskId"] = 0


def _report_progress(answer: Payload, reported: bool) -> None:
    if reported or "TaskInfo" not in answer:
        return
    for name in COUNTS:
        answer.pop(name, None)
    (answer["TaskInfo"] or {}).pop("Progress", None)


def _task_info(answer: Payload, kind: str) -> None:
    if "TaskInfo" not in answer or kind == "present":
        return
    del answer["TaskInfo"]
    if kind == "null":
        answer["TaskInfo"] = None


def _count_overshoot(answer: Payload, surplus: int) -> None:
    if "FinishCount" in answer:
        answer["FinishCount"] += surplus


def _counts_as_text(answer: Payload, text: bool) -> None:
    if text:
        answer.update({name: str(answer[name]) for name in COUNTS if name in answer})


def _last_task_newline(answer: Payload, newline: bool) -> None:
    if newline and "LastTask" in answer:
        answer["LastTask"] += "\n"


# Adding an oddity is a line here and a setting of the same name. The order counts: TaskInfo goes last of its kind.
ODDITIES: dict[str, Callable[[Payload, Any], None]] = {
    "result_task_id": _result_task_id,
    "report_progress": _report_progress,
    "task_info": _task_info,
    "count_overshoot": _count_overshoot,
    "counts_as_text": _counts_as_text,
    "last_task_newline": _last_task_newline,
}
