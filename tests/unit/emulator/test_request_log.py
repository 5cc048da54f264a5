"""The log stays within its bounds, whatever is sent."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_provider_aegis.emulator.http import Received
from airflow_provider_aegis.emulator.request_log import LINE_BYTES, LONGEST_TEXT, MOST_PARAMS, RequestLog
from tests.unit.emulator.support import KIND, Caller


def line(number: int, text: str = "") -> Received:
    return Received(action=f"A{number}", params={"P": text}, arrived=0.0, method="POST", access_key_id="id")


def actions(log: RequestLog) -> list[str]:
    return [one.action for one in log]


def test_it_keeps_the_latest_lines() -> None:
    log = RequestLog(most_lines=3)
    for number in range(10):
        log.append(line(number))
    assert actions(log) == ["A7", "A8", "A9"]


def test_it_keeps_the_latest_lines_that_there_is_room_for() -> None:
    log = RequestLog(most_bytes=10 * (LINE_BYTES + 1200))
    for number in range(100):
        log.append(line(number, "x" * 1000))
    assert actions(log)[-1] == "A99"
    assert 9 <= len(actions(log)) <= 11
    for number in range(100):
        log.append(line(number, "账" * 1000))  # takes twice the memory
    assert len(actions(log)) < 9


def test_a_line_beyond_all_room_is_there_by_itself() -> None:
    log = RequestLog(most_bytes=1)
    for number in range(3):
        log.append(line(number))
    assert actions(log) == ["A2"]


HUGE = "x" * 1_000_000


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda caller: caller.ask("GenerateOnceTask", Param=HUGE, **KIND), id="a long value"),
        pytest.param(lambda caller: caller.ask("DescribeOnceTask", **{HUGE: "1"}), id="a long name"),
        pytest.param(lambda caller: caller.ask(HUGE), id="a long action"),
        pytest.param(lambda caller: caller.ask("X", **{f"P{n}": "" for n in range(50_000)}), id="many parameters"),
    ],
)
def test_a_huge_request_is_cut(caller: Caller, ask: Callable[[Caller], object]) -> None:
    ask(caller)
    ask(caller)
    assert len(json.dumps(caller.account.log())) < 2 * 3 * LONGEST_TEXT
    assert max(map(len, caller.account.state()["requests"])) <= LONGEST_TEXT + 1


def test_what_is_usual_is_kept_whole(caller: Caller) -> None:
    param = json.dumps({"uuids": "x" * 2000})
    caller.ask("GenerateOnceTask", Param=param, **KIND)
    (only,) = caller.account.log()
    assert only["params"] == {"Param": param, **KIND}
    assert MOST_PARAMS > 100
