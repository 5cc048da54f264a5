from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.emulator.quirks import ODDITIES, apply_quirks
from airflow_provider_aegis.emulator.settings import KINDS, Settings, changed


def result(**settings: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "TotalCount": 44,
        "FinishCount": 40,
        "TaskId": "abc",
        "TaskInfo": {"Status": "START", "Progress": 90},
    }
    apply_quirks(answer, changed(Settings(), **settings))
    return answer


def test_every_oddity_has_its_setting() -> None:
    assert ODDITIES.keys() <= KINDS.keys()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"TaskId": 0}),
        ({"result_task_id": "hex"}, {"TaskId": "abc"}),
        ({"task_info": "null"}, {"TaskInfo": None}),
        ({"counts_as_text": True}, {"TotalCount": "44", "FinishCount": "40"}),
        ({"count_overshoot": 7}, {"TotalCount": 44, "FinishCount": 47}),
        ({"count_overshoot": 7, "counts_as_text": True}, {"TotalCount": "44", "FinishCount": "47"}),
    ],
)
def test_an_oddity_changes_its_field(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert result(**settings).items() >= expected.items()


def test_fields_can_be_missing() -> None:
    assert "TaskId" not in result(result_task_id="absent")
    assert result(task_info="absent").keys() == {"TotalCount", "FinishCount", "TaskId"}
    assert result(report_progress=False) == {"TaskId": 0, "TaskInfo": {"Status": "START"}}


def test_oddities_of_results_go_together() -> None:
    answer = result(task_info="absent", result_task_id="absent", report_progress=False)
    assert answer == {}


def test_the_last_task_can_end_in_a_newline() -> None:
    answer = {"TaskId": "new", "LastTask": "old"}
    apply_quirks(answer, Settings(last_task_newline=True))
    assert answer == {"TaskId": "new", "LastTask": "old\n"}


def test_an_answer_without_a_task_info_keeps_its_task_id() -> None:
    answer = {"TaskId": "new", "CanCreate": True}
    apply_quirks(answer, Settings(task_info="null", report_progress=False, last_task_newline=True))
    assert answer == {"TaskId": "new", "CanCreate": True}


def test_a_result_of_nothing_stays_one() -> None:
    answer: dict[str, Any] = {"TaskId": 0, "TaskInfo": None}
    apply_quirks(answer, Settings(report_progress=False))
    assert answer == {"TaskId": 0, "TaskInfo": None}
