"""Which page of a list to ask for next, and when the list is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_aegis.client.jobs.once_task import as_number


class Pages:
    """Reads a list to its end. It believes the records it is given and the page size of the answer, not the total.

    The list is over with an empty page, with a page that repeats an earlier one, and with a page that is shorter than
    the answer says pages are (or, where it does not, than an earlier one), unless the total or a next token says that
    there is more. So a list whose last page is full costs one request more.

    :param items: name of the list in an answer.
    :param page_size: records to ask for in a page; the service may give fewer.
    :param by_token: ask for the next page with the token of the last one, not with a number.
    :ivar params: paging parameters of the next request, ``None`` once the list is over.
    """

    def __init__(self, items: str, page_size: int, *, by_token: bool = False) -> None:
        self.params: dict[str, Any] | None = {"PageSize": page_size}
        self.params |= {"UseNextToken": True} if by_token else {"CurrentPage": 1}
        self._items = items
        self._by_token = by_token
        self._records = self._longest = 0
        self._seen: set[object] = set()

    def read(self, payload: Mapping[str, Any]) -> bool:
        """Take the answer to a request with :attr:`params`, and set those of the next one.

        :return: whether it is the first page, or has records that are not those of an earlier page.
        """
        found = payload.get(self._items)
        records = found if isinstance(found, list) else []
        first, repeated = not self._seen, bool(records) and self._was_seen(json.dumps(records, sort_keys=True))
        self._seen.add(self._items)
        self._records += len(records)
        self.params = None if repeated else self._next(payload, len(records))
        return first or (bool(records) and not repeated)

    def _next(self, payload: Mapping[str, Any], count: int) -> dict[str, Any] | None:
        assert self.params
        token = _said(payload, "NextToken")
        if self._by_token:
            known = isinstance(token, str) and token != "" and not self._was_seen(("token", token))
            return {**self.params, "NextToken": token} if known else None
        if count and (token or not self._is_last(payload, count)):
            return {**self.params, "CurrentPage": self.params["CurrentPage"] + 1}
        return None

    def _is_last(self, payload: Mapping[str, Any], count: int) -> bool:
        self._longest = max(self._longest, count)  # what was asked for says nothing: the service may give less
        size, total = as_number(_said(payload, "PageSize")), as_number(_said(payload, "TotalCount"))
        return count < (size or self._longest) and self._records >= (total or 0)

    def _was_seen(self, what: object) -> bool:
        mark = hash(what)
        seen = mark in self._seen
        self._seen.add(mark)
        return seen


def _said(payload: Mapping[str, Any], name: str) -> Any:
    """Return what an answer says of its pages, in ``PageInfo`` or beside it."""
    info = payload.get("PageInfo")
    return info.get(name, payload.get(name)) if isinstance(info, Mapping) else payload.get(name)
