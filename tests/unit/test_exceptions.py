"""What a task says of a scan that ended badly."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import NoAnswerError
from airflow_provider_aegis.client.flows.wait import Ending, Outcome
from airflow_provider_aegis.client.jobs.once_task import OnceTaskRef
from airflow_provider_aegis.exceptions import BAD_ENDINGS, OnceTaskDeadlineError, bad_ending

RUNNING: dict[str, Any] = {"RequestId": "R", "TaskInfo": {"Status": "START"}, "FinishCount": 11, "TotalCount": 44}


def said(ending: Ending) -> str:
    return str(bad_ending(ending, OnceTaskRef(once_task_type="VUL_CHECK_TASK", once_task_id="x1")))


@pytest.mark.parametrize("outcome", BAD_ENDINGS, ids=str)
def test_what_to_do_comes_first_and_the_details_come_last(outcome: Outcome) -> None:
    advice, what, details = said(Ending(outcome, RUNNING)).partition(" Scan VUL_CHECK_TASK x1 ")
    assert what
    assert advice.endswith(".")
    assert len(advice) <= 75  # a log view of 1,500 px shows 95 characters, the exception's name included
    assert details.endswith(". (status START, 25% done, RequestId R)")


def test_without_details_there_are_no_parentheses() -> None:
    assert said(Ending(Outcome.FAILED)).endswith("Scan VUL_CHECK_TASK x1 failed.")


def test_a_deadline_before_the_service_knew_the_scan_says_so() -> None:
    ending = Ending(Outcome.DEADLINE, {"RequestId": "R", "TaskInfo": None})
    assert isinstance(bad_ending(ending, OnceTaskRef(once_task_type="T", once_task_id="x1")), OnceTaskDeadlineError)
    assert said(ending).startswith("Check the scan's id, its type and the region")
    assert "was not over when the deadline passed, and is not known to Security Center (" in said(ending)


def test_a_deadline_without_any_answer_names_the_last_error() -> None:
    text = said(Ending(Outcome.DEADLINE, {}, NoAnswerError("reset", action="GetOnceTaskResultInfo")))
    assert text.startswith("Raise the task's timeout")
    assert text.endswith("The last read failed: GetOnceTaskResultInfo: reset.")
