"""A list is read to its end, whatever the service says of its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.flows.paginate import BARREN_PAGES, Counts, Pages
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
        size = min(self.most, int(params["PageSize"]))
        at = int(params["NextToken"]) if "NextToken" in params else size * (int(params.get("CurrentPage", 1)) - 1)
        page: Record = {"L": self.records[at : at + size], "PageSize": size}
        if "UseNextToken" in params and at + size < len(self.records):
            page["NextToken"] = str(at + size)
        return self.say(page, len(self.records))


def read_all(config: Lister, page_size: int = 200, **how: Any) -> list[Record]:
    pages = Pages("L", page_size, **how)
    records: list[Record] = []
    while asked := pages.params:
        for fresh in pages.read([config.answer(params) for params in asked]):
            records += fresh
    assert pages.counts.records == len(records)
    assert pages.counts.pages == len(config.asked)
    return records


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


@pytest.mark.parametrize("ahead", [1, 3, 32])
@pytest.mark.parametrize("say", SAYING.values(), ids=list(SAYING))
@pytest.mark.parametrize("records", [0, 1, 49, 50, 51, 100, 450, 460])
def test_a_service_that_gives_smaller_pages_loses_nothing(records: int, say: Say, ahead: int) -> None:
    config = Lister(records, most=50, say=say)
    assert read_all(config, page_size=200, ahead=ahead) == config.records
    too_large = say in (SAYING["a total that is too large"], SAYING["PageInfo with texts"])
    assert len(config.asked) <= records // 50 + 2 + (ahead - 1 if too_large else 0)


@patiently
@given(
    records=st.integers(0, 40),
    most=st.integers(1, 10),
    asked=st.integers(1, 10),
    total=st.none() | st.integers(-5, 60),
    ahead=st.integers(1, 5),
)
def test_every_record_is_read_once_whatever_the_total(
    records: int, most: int, asked: int, total: int | None, ahead: int
) -> None:
    config = Lister(records, most=most, say=lambda page, _: page | ({} if total is None else {"TotalCount": total}))
    assert read_all(config, page_size=asked, ahead=ahead) == config.records


@pytest.mark.parametrize(("records", "requests"), [(0, 1), (1, 1), (49, 1), (50, 2), (51, 2), (99, 2)])
def test_no_more_is_asked_for_than_is_needed(records: int, requests: int) -> None:
    config = Lister(records, most=50, say=info())
    read_all(config, page_size=50)
    assert config.asked == [{"PageSize": 50, "CurrentPage": number + 1} for number in range(requests)]


def test_pages_are_asked_for_side_by_side_as_far_as_the_total_goes_and_by_one_beyond_it() -> None:
    config = Lister(500, most=50, say=info())
    pages = Pages("L", 50, ahead=4)
    windows = []
    while asked := pages.params:
        windows.append([params["CurrentPage"] for params in asked])
        pages.read([config.answer(params) for params in asked])
    assert windows == [[1], [2, 3, 4, 5], [6, 7, 8, 9], [10], [11]]


def test_paging_parameters_go_as_text_where_the_operation_wants_that() -> None:
    config = Lister(60, most=50)
    read_all(config, page_size=50, texts=("CurrentPage", "PageSize"))
    assert config.asked == [{"PageSize": "50", "CurrentPage": "1"}, {"PageSize": "50", "CurrentPage": "2"}]


def test_records_that_come_twice_are_dropped_by_their_key_and_counted() -> None:
    pages = Pages("L", 2, key=("Id", "Part"))
    first: list[Record] = [{"Id": 1, "Part": "a"}, {"Id": 1, "Part": "b"}]
    assert pages.read([{"L": first, "TotalCount": 3}]) == [first]
    again = {"Id": 1, "Part": "b", "Status": "another by now"}
    assert pages.read([{"L": [again, {"Id": 2, "Part": "a"}], "TotalCount": 3}]) == [[{"Id": 2, "Part": "a"}]]
    assert (pages.counts.records, pages.counts.duplicates, pages.counts.pages) == (3, 1, 2)


def test_records_without_their_key_are_told_apart_by_all_that_they_are() -> None:
    odd: list[Any] = [{"b": 1}, {"b": 2}, {"b": 1}, {"Id": [1]}, {"Id": [2]}, {"Id": [1]}, "text", None]
    (fresh,) = Pages("L", 9, key=("Id",)).read([{"L": odd}])
    assert fresh == [{"b": 1}, {"b": 2}, {"Id": [1]}, {"Id": [2]}, "text", None]


def test_a_list_that_shifts_by_more_than_a_page_is_read_to_its_end() -> None:
    records = [{"Id": number} for number in range(10)]
    new = [{"Id": -number} for number in range(1, 5)]
    pages = Pages("L", 2, key=("Id",), ahead=1)
    pages.read([{"L": records[:2], "TotalCount": 10}])
    at, got = 2, list(records[:2])
    shifted = new + records
    while asked := pages.params:
        assert asked == [{"PageSize": 2, "CurrentPage": at // 2 + 1}]
        (fresh,) = pages.read([{"L": shifted[at : at + 2], "TotalCount": 14}])
        got += fresh
        at += 2
    assert [one for one in got if one["Id"] >= 0] == records
    assert (pages.counts.duplicates, pages.counts.moved, pages.counts.claimed) == (2, 1, 14)


def test_pages_that_were_side_by_side_while_the_total_moved_are_read_again_in_order() -> None:
    records = [{"Id": number} for number in range(10)]
    shifted = [{"Id": -1}, {"Id": -2}, *records]
    pages = Pages("L", 2, key=("Id",))
    got = [*pages.read([{"L": records[:2], "TotalCount": 10}])[0]]
    assert [params["CurrentPage"] for params in pages.params] == [2, 3, 4, 5]
    # Pages 3 and 5 were served before the list shifted, and 2 and 4 after it: 2 and 6 are on none of them.
    served = [shifted[2:4], records[4:6], shifted[6:8], records[8:]]
    for fresh in pages.read([{"L": page, "TotalCount": 12 if page[0] in shifted[2:7:4] else 10} for page in served]):
        got += fresh
    order = []
    while asked := pages.params:
        (number,) = (params["CurrentPage"] for params in asked)
        order.append(number)
        got += pages.read([{"L": shifted[2 * number - 2 : 2 * number], "TotalCount": 12}])[0]
    assert sorted(record["Id"] for record in got) == list(range(10))
    assert order == [2, 3, 4, 5, 6, 7]
    assert (pages.counts.duplicates, pages.counts.moved) == (6, 1)


def test_pages_beyond_one_that_seems_the_last_count_as_they_are_there_already() -> None:
    pages = Pages("L", 2, key=("Id",), ahead=3)
    pages.read([{"L": [{"Id": 1}, {"Id": 2}], "TotalCount": 5}])
    short, long = {"L": [{"Id": 3}], "TotalCount": 5}, {"L": [{"Id": 4}, {"Id": 5}], "TotalCount": 5}
    assert pages.read([short, long]) == [[{"Id": 3}], [{"Id": 4}, {"Id": 5}]]
    assert pages.params == [{"PageSize": 2, "CurrentPage": 4}]


def test_the_request_ids_of_all_pages_are_told_in_order() -> None:
    pages = Pages("L", 2, ahead=2)
    pages.read([{"L": [1, 2], "TotalCount": 6, "RequestId": "A"}])
    pages.read([{"L": [3, 4], "TotalCount": 6, "RequestId": "B"}, {"L": [5, 6], "TotalCount": 6, "RequestId": "C"}])
    pages.read([{"L": []}])
    assert pages.counts.request_ids == ["A", "B", "C"]


def test_what_came_of_two_lists_is_added_up() -> None:
    counts = Counts()
    for one in (Counts(3, 1, 0, 3, 0, ["A"]), Counts(5, 2, 1, 9, 1, ["B", "C"]), Counts(1, 1, 0, None, 0, ["D"])):
        counts.add(one)
    assert counts == Counts(9, 4, 1, 12, 1, ["A", "B", "C", "D"])


def repeating(cycle: int, **said: Any) -> Iterator[Record]:
    number = 0
    while True:
        yield {"L": [{"Id": number % cycle, "b": 1}, {"Id": number % cycle}], "RequestId": str(number), **said}
        number += 1


@pytest.mark.parametrize("cycle", [1, 2, 5])
@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize("said", [{}, {"TotalCount": 10**9}, {"TotalCount": 1}], ids=str)
def test_pages_that_repeat_for_ever_end(cycle: int, by_token: bool, said: Record) -> None:
    pages, shown = Pages("L", 2, by_token=by_token, ahead=1), []
    answers = repeating(cycle, **said)
    while pages.params:
        (fresh,) = pages.read([{**next(answers), "NextToken": f"token {pages.counts.pages}"}])
        shown += fresh
    assert [record["Id"] for record in shown if "b" not in record] == list(range(cycle))
    assert pages.counts.pages <= cycle + BARREN_PAGES


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
    assert [pages.read([answer]) for answer in answers] == [[[]], [[]], [[1]]]
    assert pages.params == []


@pytest.mark.parametrize("token", ["again", None, 5, ["x"]], ids=repr)
def test_a_token_that_comes_twice_or_is_none_is_the_end(token: Any) -> None:
    pages = Pages("L", 2, by_token=True)
    pages.read([{"L": [1], "NextToken": "again"}])
    assert pages.params == [{"PageSize": 2, "UseNextToken": True, "NextToken": "again"}]
    pages.read([{"L": [2], "NextToken": token}])
    assert pages.params == []


def test_a_short_page_with_a_token_is_not_the_last_of_pages_by_number() -> None:
    pages = Pages("L", 2)
    pages.read([{"L": [1], "PageInfo": {"PageSize": 2, "TotalCount": 1, "NextToken": "t"}}])
    assert pages.params == [{"PageSize": 2, "CurrentPage": 2}]


def test_the_hook_reads_on_though_the_total_is_too_small(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Lister(
        450, most=50, say=lambda page, _: {"TaskManageResponseList": page["L"], "PageInfo": {"TotalCount": 60}}
    )
    monkeypatch.setattr(AegisHook, "call", lambda self, action, **params: config.answer(params))
    with AegisHook() as hook:
        answers = list(hook.describe_once_task(once_task_type="T", page_size=200))
    assert [record for answer in answers for record in answer["TaskManageResponseList"]] == config.records


def test_the_hook_shows_the_first_page_though_it_is_empty_and_no_other(
    sas: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{"OnceTasks": []}, {"OnceTasks": [{"TaskId": "1"}]}, {"OnceTasks": []}])
    monkeypatch.setattr(AegisHook, "call", lambda self, action, **params: next(answers))
    with AegisHook() as hook:
        assert list(hook.describe_once_task_leaf_record_page(once_task_type="T")) == [{"OnceTasks": []}]
        shown = list(hook.describe_once_task_leaf_record_page(once_task_type="T", page_size=1))
    assert shown == [{"OnceTasks": [{"TaskId": "1"}]}]
