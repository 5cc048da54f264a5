"""A list is read to its end, whatever the service says of its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.flows.paginate import Pages
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from tests.fakes import patiently

Record = dict[str, Any]
Say = Callable[[Record, int], Record]


class Lister:
    """A service with some records, which gives at most so many in a page.

    :param say: makes the answer of the page's list, given the number of all records.
    """

    def __init__(self, records: int, *, most: int = 50, say: Say = lambda page, _: page) -> None:
        self.records = [{"Id": number} for number in range(records)]
        self.most = most
        self.say = say
        self.asked: list[Record] = []

    def answer(self, params: Record) -> Record:
        """Answer a request by number or by token."""
        self.asked.append(params)
        assert len(self.asked) < 1000, "it would go on for ever"
        size = min(self.most, params["PageSize"])
        at = int(params["NextToken"]) if "NextToken" in params else size * (params.get("CurrentPage", 1) - 1)
        page: Record = {"L": self.records[at : at + size], "PageSize": size}
        if "UseNextToken" in params and at + size < len(self.records):
            page["NextToken"] = str(at + size)
        return self.say(page, len(self.records))


def read_all(config: Lister, page_size: int = 200, **how: Any) -> list[Record]:
    pages = Pages("L", page_size, **how)
    shown: list[Record] = []
    while pages.params:
        answer = config.answer(pages.params)
        if pages.read(answer):
            shown.append(answer)
    return [record for answer in shown for record in answer.get("L") or []]


def info(**said: Any) -> Say:
    """Answer as newer operations do, with ``PageInfo``."""
    return lambda page, total: {"L": page["L"], "PageInfo": {"TotalCount": total, "PageSize": page["PageSize"], **said}}


SAYING: dict[str, Say] = {
    "PageInfo": info(),
    "PageInfo with the size that was asked for": info(PageSize=200),
    "PageInfo with texts": info(PageSize="50", TotalCount="450"),
    "a total that is too small": info(TotalCount=100),
    "a total that is the page's": lambda page, _: {"L": page["L"], "PageInfo": {"TotalCount": 50, "PageSize": 50}},
    "a total of nothing": info(TotalCount=0),
    "a total that is too large": info(TotalCount=10**6),
    "a total that is none": info(TotalCount="many"),
    "a total at the top": lambda page, total: {"L": page["L"], "TotalCount": total},
    "a small total at the top": lambda page, _: {"L": page["L"], "TotalCount": 60},
    "a page size alone": lambda page, _: page,
    "nothing": lambda page, _: {"L": page["L"]},
    "PageInfo of null": lambda page, _: {"L": page["L"], "PageInfo": None},
    "no list after the end": lambda page, total: {"L": page["L"], "TotalCount": total} if page["L"] else {},
    "null after the end": lambda page, _: {"L": page["L"] or None},
}


@pytest.mark.parametrize("say", SAYING.values(), ids=list(SAYING))
@pytest.mark.parametrize("records", [0, 1, 49, 50, 51, 100, 450, 460])
def test_a_service_that_gives_smaller_pages_loses_nothing(records: int, say: Say) -> None:
    config = Lister(records, most=50, say=say)
    assert read_all(config, page_size=200) == config.records
    assert len(config.asked) <= records // 50 + 2


@patiently
@given(
    records=st.integers(0, 40), most=st.integers(1, 10), asked=st.integers(1, 10), total=st.none() | st.integers(-5, 60)
)
def test_every_record_is_read_once_whatever_the_total(records: int, most: int, asked: int, total: int | None) -> None:
    config = Lister(records, most=most, say=lambda page, _: page | ({} if total is None else {"TotalCount": total}))
    assert read_all(config, page_size=asked) == config.records


@pytest.mark.parametrize(("records", "requests"), [(0, 1), (1, 1), (49, 1), (50, 2), (51, 2), (99, 2)])
def test_no_more_is_asked_for_than_is_needed(records: int, requests: int) -> None:
    config = Lister(records, most=50, say=info())
    read_all(config, page_size=50)
    assert config.asked == [{"PageSize": 50, "CurrentPage": number + 1} for number in range(requests)]


def test_the_first_page_is_shown_though_it_is_empty_and_no_other() -> None:
    pages = Pages("L", 2)
    assert pages.read({"L": []})
    assert pages.params is None
    pages = Pages("L", 2)
    assert [pages.read({"L": [1, 2]}), pages.read({"L": []})] == [True, False]


def repeating(cycle: int, **said: Any) -> Iterator[Record]:
    number = 0
    while True:
        yield {"L": [{"Id": number % cycle, "b": 1}, {"Id": number % cycle}], "RequestId": str(number), **said}
        number += 1


@pytest.mark.parametrize("cycle", [1, 2, 5])
@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize("said", [{}, {"TotalCount": 10**9}, {"TotalCount": 1}], ids=str)
def test_pages_that_repeat_for_ever_end(cycle: int, by_token: bool, said: Record) -> None:
    pages, shown = Pages("L", 2, by_token=by_token), []
    for number, answer in enumerate(repeating(cycle, **said)):
        assert pages.params
        if pages.read({**answer, "NextToken": f"token {number}"}):
            shown.append(answer)
        if pages.params is None:
            break
    assert [answer["L"][1]["Id"] for answer in shown] == list(range(cycle))


@pytest.mark.parametrize("records", [0, 1, 50, 51, 100, 450])
def test_pages_can_be_asked_for_by_token(records: int) -> None:
    config = Lister(records, most=50)
    assert read_all(config, page_size=100, by_token=True) == config.records
    first, *others = config.asked
    assert first == {"PageSize": 100, "UseNextToken": True}
    assert others == [{**first, "NextToken": str(at)} for at in range(50, max(records, 1), 50)]


def test_an_empty_page_with_a_new_token_is_not_the_end() -> None:
    pages = Pages("L", 2, by_token=True)
    answers: list[Record] = [
        {"L": [], "NextToken": "a"},
        {"L": [], "PageInfo": {"NextToken": "b"}},
        {"L": [1], "NextToken": ""},
    ]
    assert [pages.read(answer) for answer in answers] == [True, False, True]
    assert pages.params is None


@pytest.mark.parametrize("token", ["again", None, 5, ["x"]], ids=repr)
def test_a_token_that_comes_twice_or_is_none_is_the_end(token: Any) -> None:
    pages = Pages("L", 2, by_token=True)
    pages.read({"L": [1], "NextToken": "again"})
    assert pages.params == {"PageSize": 2, "UseNextToken": True, "NextToken": "again"}
    pages.read({"L": [2], "NextToken": token})
    assert pages.params is None


def test_a_short_page_with_a_token_is_not_the_last_of_pages_by_number() -> None:
    pages = Pages("L", 2)
    pages.read({"L": [1], "PageInfo": {"PageSize": 2, "TotalCount": 1, "NextToken": "t"}})
    assert pages.params == {"PageSize": 2, "CurrentPage": 2}


def test_the_hook_reads_on_though_the_total_is_too_small(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Lister(
        450, most=50, say=lambda page, _: {"TaskManageResponseList": page["L"], "PageInfo": {"TotalCount": 60}}
    )
    monkeypatch.setattr(AegisHook, "call", lambda self, action, **params: config.answer(params))
    with AegisHook() as hook:
        answers = list(hook.describe_once_task(once_task_type="T", page_size=200))
    assert [record for answer in answers for record in answer["TaskManageResponseList"]] == config.records
