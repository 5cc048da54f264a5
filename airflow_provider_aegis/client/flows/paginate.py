"""A list that comes in pages, read to its end: which pages to ask for next, what is new in them, and what they said.

Theory of operation. The records count, not what an answer says of them. A list is over with an empty page, and with one
that is shorter than its pages are, unless the total or a token says that there is more. So a list whose last page is
full costs one request more. Pages are as long as the answer says; what was asked for says nothing, since the service
may give less.

By number, as many pages as the last total leaves are asked for side by side, :data:`AHEAD` at the most; what they bring
is taken in their order, to the last of them. While such a list is read it may shift: a record that is new moves others
to the next page, where they come a second time, and one that vanishes moves others to a page that was read before. So
what came twice is dropped and counted, and a total that moved is reported. Pages that shift and are served in another
order can miss a record between them: if the total moves among pages that were asked for side by side, these are read
again in order, and so is the rest. By token the list stands still; it is read in order.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_aegis.client.flows.commands import Flow, SideBySide
from airflow_provider_aegis.client.jobs.once_task import as_number
from airflow_provider_aegis.client.protocol.operations import Call, call

# Pages that may be asked for at a time: the wait for the slowest answer is spread over so many requests.
AHEAD = 64
# A list may shift by more than a page; but one that brings nothing new so often in a row is a service that turns round.
BARREN_PAGES = 3

_BUCKETS = 0xFFFF


@dataclass(slots=True)
class Counts:
    """What came of reading lists.

    :ivar records: how many were handed out.
    :ivar pages: how many answers they came in.
    :ivar duplicates: records that came a second time and were dropped.
    :ivar claimed: how many the service said there were, when it was last asked; ``None`` where it did not say.
    :ivar moved: lists whose total was another one while they were read.
    :ivar request_ids: of all answers, in order.
    """

    records: int = 0
    pages: int = 0
    duplicates: int = 0
    claimed: int | None = None
    moved: int = 0
    request_ids: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Add what came of another list."""
        self.records += other.records
        self.pages += other.pages
        self.duplicates += other.duplicates
        self.moved += other.moved
        if other.claimed is not None:
            self.claimed = (self.claimed or 0) + other.claimed
        self.request_ids += other.request_ids


class Pages:
    """Reads one list.

    :param items: name of the list in an answer.
    :param page_size: records to ask for in a page; the service may give fewer.
    :param key: fields that tell two records apart; the whole record where there are none.
    :param by_token: ask for the next page with the token of the last one, not with a number.
    :param paged: whether it comes in pages at all.
    :param texts: paging parameters that the API wants as text.
    :param ahead: pages to ask for at a time.
    :ivar counts: what came of it so far.
    """

    def __init__(
        self,
        items: str,
        page_size: int,
        *,
        key: Sequence[str] = (),
        by_token: bool = False,
        paged: bool = True,
        texts: Collection[str] = (),
        ahead: int = AHEAD,
    ) -> None:
        self.counts = Counts()
        self._items, self._by_token, self._paged, self._texts, self._ahead = items, by_token, paged, texts, ahead
        self._mark = partial(_mark_of, tuple(key))
        self._size: dict[str, Any] = {"PageSize": page_size} if paged else {}
        self._seen = _Seen()
        self._tokens: set[str] = set()
        self._total: int | None = None
        self._moved = False
        self._barren = self._longest = 0
        self._page = self._again = 0
        self._next: list[dict[str, Any]] = [
            {} if not paged else {"UseNextToken": True} if by_token else {"CurrentPage": 1}
        ]

    @property
    def params(self) -> list[dict[str, Any]]:
        """Paging parameters of the requests to make next, side by side where there are several; none at the end."""
        return [
            {name: str(value) if name in self._texts else value for name, value in {**self._size, **one}.items()}
            for one in self._next
        ]

    def read(self, payloads: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        """Take the answers to the requests with :attr:`params`, and set those of the next.

        :return: for each answer the records in it that were not in one before.
        """
        assert len(payloads) == len(self._next)
        began, totals = self._page, {self._total} - {None}
        fresh = []
        for payload in payloads:
            fresh.append(self._take(payload))
            totals |= {self._total} - {None}
        if len(payloads) > 1 and len(totals) > 1:
            self._ahead, self._again, self._page = 1, self._page, began
            self._next = [{"CurrentPage": began + 1}]
        else:
            self._next = self._after(payloads[-1])
        return fresh

    def _take(self, payload: Mapping[str, Any]) -> list[Any]:
        found = payload.get(self._items)
        records = found if isinstance(found, list) else []
        add, mark = self._seen.add, self._mark
        fresh = [record for record in records if add(mark(record))]
        counts, again = self.counts, self._page < self._again
        counts.pages += 1
        counts.records += len(fresh)
        counts.duplicates += 0 if again else len(records) - len(fresh)
        if isinstance(request_id := payload.get("RequestId"), str):
            counts.request_ids.append(request_id)
        self._page += 1
        self._longest = max(self._longest, len(records))
        self._barren = self._barren + 1 if records and not (fresh or again) else 0
        self._note_total(total_of(payload))
        return fresh

    def _note_total(self, total: int | None) -> None:
        if total is None:
            return
        self.counts.claimed = total
        self.counts.moved = int(bool(self.counts.moved) or self._total not in (None, total))
        self._total = total

    def _after(self, payload: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = payload.get(self._items)
        count = len(found) if isinstance(found, list) else 0
        token = _said(payload, "NextToken")
        missing = (self._total or 0) - self.counts.records
        if not self._paged or self._barren >= BARREN_PAGES or (self._barren and missing <= 0):
            return []
        if self._by_token:
            if not isinstance(token, str) or not token or token in self._tokens:
                return []
            self._tokens.add(token)
            return [{"UseNextToken": True, "NextToken": token}]
        size = as_number(_said(payload, "PageSize"))
        if not count or not (token or count >= (size or self._longest) or missing > 0):
            return []
        # A total is believed as far as pages are full: two of the same length are, whatever the answer says.
        full = count >= (size or self._size["PageSize"]) or (self._page > 1 and count == self._longest)
        ahead = min(self._ahead, max(1, -(-missing // self._longest))) if full else 1
        return [{"CurrentPage": self._page + 1 + number} for number in range(ahead)]


def read_pages(
    pages: Pages, action: str, params: Mapping[str, Any], ask: Callable[[Call], Flow[dict[str, Any]]]
) -> Flow[list[list[Any]]]:
    """Ask for the next pages, side by side where there are several.

    :param params: parameters of the operation, besides those of paging.
    :param ask: makes one call, as :func:`~airflow_provider_aegis.client.flows.exchange.exchange` does.
    :return: the new records of each.
    :raises SecurityCenterError: if one of them cannot be had: then the list cannot.
    """
    calls = [call(action, **{**params, **paging}) for paging in pages.params]
    return pages.read((yield from side_by_side([ask(one) for one in calls])))


def side_by_side(flows: Sequence[Flow[Any]]) -> Flow[list[Any]]:
    """Perform flows at the same time and return what each returns.

    :raises SecurityCenterError: the first that one of them raises; the others are given up.
    """
    if len(flows) == 1:
        return [(yield from flows[0])]
    outcomes = yield SideBySide(flows)
    assert isinstance(outcomes, list)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return outcomes


def read_list(
    pages: Pages, action: str, params: Mapping[str, Any], ask: Callable[[Call], Flow[Any]]
) -> Flow[list[Any]]:
    """Read a list that is known to be short to its end; see :func:`read_pages`."""
    records: list[Any] = []
    while pages.params:
        for fresh in (yield from read_pages(pages, action, params, ask)):
            records += fresh
    return records


def total_of(payload: Mapping[str, Any]) -> int | None:
    """Return how many records an answer says there are; ``None`` where it does not."""
    total = as_number(_said(payload, "TotalCount"))
    return None if total is None else int(total)


class _Seen:
    """Which marks there were, in some 15 bytes each: a set of a million would take ten times as much."""

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = defaultdict(partial(array, "q"))

    def add(self, mark: int) -> bool:
        """Take a mark down and return whether it is new."""
        bucket = self._buckets[mark & _BUCKETS]
        if mark in bucket:
            return False
        bucket.append(mark)
        return True


def _mark_of(key: tuple[str, ...], record: Any) -> int:
    if key and isinstance(record, dict):
        values = tuple([record.get(name) for name in key])
        try:
            if values.count(None) < len(key):
                return hash(values)
        except TypeError:  # a list or an object is in it
            pass
    return hash(json.dumps(record, sort_keys=True))


def _said(payload: Mapping[str, Any], name: str) -> Any:
    """Return what an answer says of its pages, in ``PageInfo`` or beside it."""
    info = payload.get("PageInfo")
    return info.get(name, payload.get(name)) if isinstance(info, Mapping) else payload.get(name)
