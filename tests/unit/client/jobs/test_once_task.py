from __future__ import annotations

import random
import re
import string
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.errors import ConflictError, ProtocolError, SecurityCenterError
from airflow_provider_aegis.client.jobs.once_task import (
    OnceTaskResult,
    Phase,
    as_flag,
    as_number,
    as_time,
    classify,
    started_id,
    task_id_of,
)
from tests.fakes import patiently

RUNNING = ("INIT", "START", "DISPATCH", "PROCESSING", "MESSAGE_SEND", "PRE_ANALYZER")
WORDS = {
    **dict.fromkeys(RUNNING, Phase.RUNNING),
    "SUCCESS": Phase.SUCCESS,
    "TIMEOUT": Phase.TIMEOUT,
    "TIMOUT": Phase.TIMEOUT,
    "FAIL": Phase.FAILED,
    "FAILED": Phase.FAILED,
}
LETTERS = random.Random(20260102)
NEVER_HEARD = ["".join(LETTERS.choices(string.ascii_uppercase, k=LETTERS.randint(4, 12))) for _ in range(50)]
SUCCESS = r"[ \t\r\n_.-]*".join(("", *"SUCCESS", ""))
ALMOST_SUCCESS = [
    "SUCCES",
    "SUCCESSFUL",
    "UNSUCCESS",
    "SUCCESS?1",
    "PARTIAL_SUCCESS",
    "NOT SUCCESS",
    "SUCCEEDED",
    "DONE",
    "!SUCCESS",
    "SUCCESS?",
    "SUCCESS❌",
    "SUCCESS\u200b",
    "\ufeffSUCCESS",
    "SUCCESS\x00",
    "SUCCESS\xa0",
    "ſUCCESS",
    "SUCCEß",
    "ＳＵＣＣＥＳＳ",
    "SUC/CESS",
    "SUCCESS,FAIL",
    "(SUCCESS)",
]


@pytest.mark.parametrize(("word", "phase"), WORDS.items())
@pytest.mark.parametrize(
    "spell",
    [
        str,
        str.lower,
        str.title,
        lambda word: word.replace("_", "-"),
        lambda word: word.replace("_", "."),
        lambda word: word.replace("_", " "),
        lambda word: word.replace("_", ""),
        " {} \n".format,
    ],
)
def test_a_documented_word_is_understood_however_it_is_spelt(word: str, phase: Phase, spell: Any) -> None:
    assert classify(spell(word)) is phase


@pytest.mark.parametrize("word", [*NEVER_HEARD, *ALMOST_SUCCESS, "0", "20", "完成"])
def test_a_word_that_nobody_documented_is_neither_success_nor_failure(word: str) -> None:
    assert classify(word) is Phase.UNHEARD


@pytest.mark.parametrize(
    "word", [None, "", "  \n", 0, 1, True, 1.5, [], {}, ["SUCCESS"], {"Status": "SUCCESS"}, b"SUCCESS"]
)
def test_what_is_no_word_is_missing(word: object) -> None:
    assert classify(word) is Phase.MISSING


def test_no_word_but_success_is_success() -> None:
    tried = [*WORDS, *NEVER_HEARD, *ALMOST_SUCCESS, "", None]
    assert [word for word in tried if classify(word) is Phase.SUCCESS] == ["SUCCESS"]


@patiently
@given(
    st.text()
    | st.tuples(st.text(max_size=2), st.sampled_from(("success", "SUC CESS", "ſuccess")), st.text(max_size=2)).map(
        "".join
    )
)
def test_no_text_that_does_not_spell_success_is_success(word: str) -> None:
    assert (classify(word) is Phase.SUCCESS) == (re.fullmatch(SUCCESS, word, re.ASCII | re.IGNORECASE) is not None)


@pytest.mark.parametrize(
    ("payload", "status", "phase"),
    [
        ({"TaskInfo": {"Status": " SUCCESS\n"}}, "SUCCESS", Phase.SUCCESS),
        ({"TaskInfo": {"Status": "Message_Send"}}, "Message_Send", Phase.RUNNING),
        ({"TaskInfo": {"Status": "\x1b[31mODD"}}, "\\x1b[31mODD", Phase.UNHEARD),
        ({"TaskInfo": {"Status": ""}}, None, Phase.MISSING),
        ({"TaskInfo": {"Status": None}}, None, Phase.MISSING),
        ({"TaskInfo": {"Status": 20}}, None, Phase.MISSING),
        ({"TaskInfo": {"Result": "SUCCESS"}}, None, Phase.MISSING),
        ({"TaskInfo": {}}, None, Phase.MISSING),
        ({"TaskInfo": None}, None, Phase.MISSING),
        ({"TaskInfo": "SUCCESS"}, None, Phase.MISSING),
        ({"TaskInfo": [{"Status": "SUCCESS"}]}, None, Phase.MISSING),
        ({"Status": "SUCCESS"}, None, Phase.MISSING),
        ({}, None, Phase.MISSING),
    ],
    ids=str,
)
def test_the_status_is_that_of_the_task_info(payload: dict[str, Any], status: str | None, phase: Phase) -> None:
    result = OnceTaskResult(payload)
    assert (result.status, result.phase) == (status, phase)


@pytest.mark.parametrize(
    ("payload", "progress"),
    [
        ({"TotalCount": 44, "FinishCount": 11}, 0.25),
        ({"TotalCount": "44", "FinishCount": "11"}, 0.25),
        ({"TotalCount": 44, "FinishCount": 47}, 1.0),
        ({"TotalCount": 44, "FinishCount": 0}, 0.0),
        ({"TotalCount": 44, "FinishCount": 11, "TaskInfo": {"Progress": "99%"}}, 0.25),
        ({"TotalCount": 0, "FinishCount": 0}, None),
        ({"TotalCount": 0, "FinishCount": 0, "TaskInfo": {"Progress": "10%"}}, 0.1),
        ({"TotalCount": 44, "TaskInfo": {"Progress": "10%"}}, 0.1),
        ({"TotalCount": -44, "FinishCount": 11}, None),
        ({"TotalCount": 44, "FinishCount": -11}, None),
        ({"TotalCount": "many", "FinishCount": "some"}, None),
        ({"TotalCount": True, "FinishCount": True}, None),
        ({"TaskInfo": {"Progress": "10%"}}, 0.1),
        ({"TaskInfo": {"Progress": " 10 % "}}, 0.1),
        ({"TaskInfo": {"Progress": 10}}, 0.1),
        ({"TaskInfo": {"Progress": "100"}}, 1.0),
        ({"TaskInfo": {"Progress": "250%"}}, 1.0),
        ({"TaskInfo": {"Progress": "-1%"}}, None),
        ({"TaskInfo": {"Progress": "half"}}, None),
        ({"TaskInfo": None}, None),
        ({}, None),
    ],
    ids=str,
)
def test_progress_is_a_share_between_0_and_1(payload: dict[str, Any], progress: float | None) -> None:
    assert OnceTaskResult(payload).progress == progress


COUNTS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@patiently
@given(total=COUNTS, finished=COUNTS, percent=COUNTS)
def test_progress_stays_between_0_and_1_whatever_is_answered(total: object, finished: object, percent: object) -> None:
    payload = {"TotalCount": total, "FinishCount": finished, "TaskInfo": {"Progress": percent}}
    progress = OnceTaskResult(payload).progress
    assert progress is None or 0 <= progress <= 1


def test_a_result_keeps_the_payload_and_its_repr_does_not_spread_it() -> None:
    payload = {"RequestId": "R\n1", "TaskInfo": {"Status": "INIT"}}
    result = OnceTaskResult(payload)
    assert result.payload is payload
    assert result.request_id == "R\\n1"
    assert OnceTaskResult({"RequestId": None}).request_id == ""
    assert "INIT" not in repr(result)


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), (3, 3), (2.5, 2.5), ("3", 3), (" 3 ", 3), ("10%", 10), ("1e2", 100)],
)
def test_a_number_comes_in_many_shapes(value: object, number: float) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    "odd", [None, True, "", "%", "x", -1, "-1", "nan", "inf", float("nan"), 10**400, [3], {}, b"3"], ids=repr
)
def test_what_is_no_number_is_none(odd: object) -> None:
    assert as_number(odd) is None


@pytest.mark.parametrize("value", [1671184531000, 1671184531000.0, "1671184531000"])
def test_times_are_epoch_milliseconds_in_utc(value: object) -> None:
    time = as_time(value)
    assert time == pendulum.datetime(2022, 12, 16, 9, 55, 31, tz="UTC")
    assert time.timezone_name == "UTC"
    assert OnceTaskResult({"CollectTime": value}).collect_time == time


@pytest.mark.parametrize(
    "value", [None, 0, "0", -1, "", "yesterday", "2022-12-16", True, [], 10**17, 10**400, "1e300", "nan"]
)
def test_a_nonsense_time_is_none(value: object) -> None:
    assert as_time(value) is None
    assert OnceTaskResult({"CollectTime": value}).collect_time is None


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        (" TRUE\n", True),
        ("yes", None),
        ("", None),
        (0, None),
    ],
)
def test_a_flag_is_a_boolean_or_its_text(value: object, flag: bool | None) -> None:
    assert as_flag(value) is flag


@pytest.mark.parametrize(
    ("value", "once_task_id"),
    [
        ("38730bb078f4a146", "38730bb078f4a146"),
        (" 38730bb078f4a146\n", "38730bb078f4a146"),
        (12345678901234567890, "12345678901234567890"),
        ("007", "007"),
        (0, ""),
        ("0", ""),
        (" 0\n", ""),
        ("", ""),
        ("  ", ""),
        (None, ""),
        ("None", ""),
        (True, ""),
        (False, ""),
        ([], ""),
        (["id"], ""),
        ({"TaskId": "id"}, ""),
        (1.5, ""),
        ("{'TaskId': 'id'}", ""),
        ('["id"]', ""),
    ],
)
def test_an_id_is_an_opaque_text(value: object, once_task_id: str) -> None:
    assert task_id_of(value) == once_task_id


@pytest.mark.parametrize(
    "payload", [{"TaskId": "t1\n"}, {"TaskId": "t1", "CanCreate": True}, {"TaskId": "t1", "CanCreate": "?"}]
)
def test_the_started_task_is_the_one_that_the_answer_names(payload: dict[str, Any]) -> None:
    assert started_id(payload) == "t1"


@pytest.mark.parametrize("can_create", [False, "false", "False "])
@pytest.mark.parametrize("further", [{}, {"TaskId": "t1"}, {"TaskId": 0}], ids=str)
def test_can_create_false_is_a_conflict(can_create: object, further: dict[str, Any]) -> None:
    with pytest.raises(ConflictError, match="too many scan tasks") as caught:
        started_id({"RequestId": "R", "CanCreate": can_create, **further})
    error = caught.value
    assert (error.action, error.code, error.request_id) == ("GenerateOnceTask", "CanCreate=false", "R")


@pytest.mark.parametrize("task_id", [None, "", " ", 0, "0"])
def test_a_start_that_names_no_task_is_a_protocol_error(task_id: object) -> None:
    with pytest.raises(ProtocolError, match="TaskId") as caught:
        started_id({"RequestId": "R", "CanCreate": True, "TaskId": task_id})
    assert caught.value.request_id == "R"
    assert not caught.value.transient


@pytest.mark.parametrize("payload", [{"CanCreate": False}, {"CanCreate": False, "RequestId": None}, {}], ids=str)
def test_a_start_that_failed_without_a_request_id_has_none(payload: dict[str, Any]) -> None:
    with pytest.raises(SecurityCenterError) as caught:
        started_id(payload)
    assert caught.value.request_id == ""
