"""Findings as iterators: lists read to their end, of one account or of an organisation, in constant memory.

Theory of operation. A read is one list of one account. Lists are asked for side by side, :data:`AHEAD` at the most and
no more than the connection's ceiling lets go in some seconds, and handed out in order. A reader that hangs below
another (``for_each``) is a list for each record of the outer one. What is held at a time is one such window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import Patience, exchange
from airflow_provider_aegis.client.flows.paginate import AHEAD, Counts, Pages, read_pages, side_by_side, total_of
from airflow_provider_aegis.client.flows.settle import LONGEST_SECONDS, PAUSE_SECONDS, Settled, settle
from airflow_provider_aegis.client.protocol.operations import Call, call
from airflow_provider_aegis.client.readers import (
    ACCOUNT,
    READERS,
    Paging,
    Reader,
    check_required,
    find_findings,
    find_reader,
)

if TYPE_CHECKING:
    from airflow_provider_aegis.client.config import ClientConfig
    from airflow_provider_aegis.client.flows.commands import Flow

T = TypeVar("T")
Record = dict[str, Any]
RunFlow = Callable[["Flow[Any]"], Any]

# A page that the service does not give within so long is lost, and the read with it.
PAGE_PATIENCE_SECONDS = 300.0
# How much of the request budget may be under way or wait for its turn.
WINDOW_SECONDS = 6.4
# Codes with which the service says that an account cannot be read, though others can.
UNREADABLE = ("FreeVersionNotPermit", "NoPermission", "RdCheckNoPermission", "Forbidden")


@dataclass(slots=True)
class Listing:
    """One list to read.

    :param params: parameters of the operation, besides those of paging.
    :param added: fields that each of its records gets.
    """

    reader: Reader
    params: Mapping[str, Any]
    pages: Pages
    added: Mapping[str, Any] = field(default_factory=dict)


class Findings(Iterator[Record]):
    """Records, read while they are iterated over.

    :param run_flow: performs a flow.
    :param reads: readers with their parameters.
    :param accounts: as :meth:`ReadsFindings.read_findings` takes it.
    :ivar accounts: accounts that were read to the end; empty for the connection's own.
    :ivar skipped: accounts that could not be read, or not to the end, with the reason.
    """

    def __init__(
        self,
        config: ClientConfig,
        run_flow: RunFlow,
        reads: Sequence[tuple[Reader, Mapping[str, Any]]],
        accounts: Sequence[str] | str | None,
    ) -> None:
        for reader, params in reads:
            check_required(reader, params)
            if accounts is not None and not reader.accounts:
                raise ConfigurationError(
                    f"accounts must be left out: {reader.action} reads the connection's own alone."
                )
        self._config, self._run_flow, self._reads = config, run_flow, reads
        self._wanted = _check_accounts(accounts)
        self._ahead = max(1, min(AHEAD, int(config.max_requests_per_second * WINDOW_SECONDS)))
        self._done = Counts()
        self._open: list[Listing] = []
        self._records = self._read()
        self.accounts: list[str] = []
        self.skipped: dict[str, str] = {}

    @property
    def counts(self) -> Counts:
        """What came of it so far; complete when the iteration is over."""
        counts = Counts()
        counts.add(self._done)
        for one in self._open:
            counts.add(one.pages.counts)
        return counts

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def __next__(self) -> Record:
        return next(self._records)

    def _read(self) -> Iterator[Record]:
        if self._wanted is None:
            yield from self._read_account(None, {})
            return
        for account, asked_for in self._run_flow(self._members()) if self._wanted == "all" else _named(self._wanted):
            try:
                yield from self._read_account(account, {ACCOUNT: account} if asked_for else {})
            except SecurityCenterError as error:
                if not (asked_for and error.code.startswith(UNREADABLE)):
                    raise
                self.skipped[account] = f"{error.code}: {error.message} (RequestId {error.request_id or 'unknown'})"
                self._close()
            else:
                self.accounts.append(account)

    def _read_account(self, account: str | None, asked_for: Mapping[str, Any]) -> Iterator[Record]:
        added = {ACCOUNT: account} if account else {}
        for reader, params in self._reads:
            yield from self._read_one(reader, {**params, **asked_for}, added)

    def _read_one(self, reader: Reader, params: Mapping[str, Any], added: Mapping[str, Any]) -> Iterator[Record]:
        each = reader.for_each
        if each is None or params.get(each.param) is not None:
            known = {each.param: params[each.param]} if each else {}
            yield from self._read_lists(iter((self._list(reader, params, {**known, **added}),)))
            return
        own = {name: value for name, value in params.items() if name == ACCOUNT}
        outer = self._outer_records(READERS[each.action], {**each.params, **own})
        lists = (
            self._list(
                reader,
                {**params, each.param: record[each.value_field]},
                {
                    each.param: record[each.value_field],
                    **{name: record.get(name) for name in each.copied},
                    **added,
                },
            )
            for record in outer
            if record.get(each.value_field) is not None
        )
        yield from self._read_lists(lists)

    def _outer_records(self, reader: Reader, params: Mapping[str, Any]) -> Iterator[Record]:
        """Read the records of an outer list, which are not handed out and not counted."""
        one = self._list(reader, params, {})
        while one.pages.params:
            for fresh in self._run_flow(self._next_pages(one)):
                yield from (record for record in fresh if isinstance(record, dict))

    def _read_lists(self, lists: Iterator[Listing]) -> Iterator[Record]:
        while window := list(islice(lists, self._ahead)):
            self._open = window
            firsts = self._run_flow(side_by_side([self._next_pages(one) for one in window]))
            for one, pages in zip(window, firsts, strict=True):
                while True:
                    for fresh in pages:
                        for record in fresh:
                            if isinstance(record, dict):
                                record.update(one.added)
                                yield record
                    if not one.pages.params:
                        break
                    pages = self._run_flow(self._next_pages(one))
            self._close()

    def _close(self) -> None:
        for one in self._open:
            self._done.add(one.pages.counts)
        self._open = []

    def _list(self, reader: Reader, params: Mapping[str, Any], added: Mapping[str, Any]) -> Listing:
        pages = Pages(
            reader.records,
            reader.page_size,
            key=[name for name in reader.key if name not in added],
            by_token=reader.paging == "token",
            paged=reader.paging != "none",
            texts=reader.texts,
            ahead=self._ahead,
        )
        lang = {"Lang": self._config.lang} if reader.lang else {}
        return Listing(reader, {**lang, **params}, pages, added)

    def _next_pages(self, one: Listing) -> Flow[list[list[Any]]]:
        return read_pages(one.pages, one.reader.action, one.params, self._ask)

    def _ask(self, wanted: Call) -> Flow[dict[str, Any]]:
        return _patiently(self._config, wanted)

    def _members(self) -> Flow[list[tuple[str, bool]]]:
        """The accounts of the organisation, and whether each has to be asked for."""
        one = self._list(READERS["DescribeMonitorAccounts"], {}, {})
        (infos,) = yield from self._next_pages(one)
        return members_of(infos)


def _patiently(config: ClientConfig, wanted: Call) -> Flow[dict[str, Any]]:
    deadline = config.clock.monotonic() + PAGE_PATIENCE_SECONDS
    return exchange(config, wanted, deadline=deadline, patience=Patience.DEADLINE)


def members_of(infos: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """Read what DescribeMonitorAccounts answers.

    :return: the accounts, and whether each has to be named in a request: the administrator's own is not, which reads
        without. Where the list does not have it, it comes first, as an empty text.
    """
    found = {
        str(info["AccountId"]): str(info.get("OperatorUid")) != str(info["AccountId"])
        for info in infos
        if info.get("AccountId")
    }
    own = {} if False in found.values() else {"": False}
    return list({**own, **found}.items())


def _named(accounts: Sequence[str]) -> list[tuple[str, bool]]:
    return [(account, True) for account in accounts]


def _check_accounts(accounts: Sequence[str] | str | None) -> Sequence[str] | str | None:
    if accounts is None or accounts == "all":
        return accounts
    given = list(dict.fromkeys(map(str, accounts))) if isinstance(accounts, list | tuple) else []
    if not given or not all(one.isascii() and one.isdecimal() for one in given):
        raise ConfigurationError(
            f"accounts must be 'all' or a list of account ids, as ['1234567890123456'], not {accounts!r:.60}."
        )
    return given


class ReadsFindings:
    """The methods of the hook that read findings."""

    config: Any
    run_flow: RunFlow

    def read_records(
        self,
        action: str,
        *,
        records: str | None = None,
        key: str | Sequence[str] | None = None,
        paging: Paging | None = None,
        page_size: int | None = None,
        accounts: Sequence[str] | str | None = None,
        **params: Any,
    ) -> Findings:
        """Read a list to its end, whatever the service says of its total.

        :param action: an operation that gives a list, as ``DescribeVulList``.
        :param records: name of the list in an answer, for an operation that
            :data:`~airflow_provider_aegis.client.readers.READERS` does not have.
        :param key: the field, or fields, that tell two records apart; the whole record does if it is not given.
        :param paging: ``page``, ``token`` or ``none``; ``page`` reads side by side what the table reads by token, and
            the list may shift meanwhile.
        :param page_size: records to ask for in a page.
        :param accounts: as in :meth:`read_findings`.
        :param params: the operation's parameters under the API's own names.
        :return: an iterator over the API's records. Each is as it came, with the account added where one was asked for,
            and fields of the outer record where it hangs below one. ``counts`` says what came of it.
        :raises ConfigurationError: naming the argument that cannot be used.
        :raises SecurityCenterError: while iterating, if a page cannot be had.
        """
        reader = find_reader(action, records=records, key=key, paging=paging, page_size=page_size)
        return Findings(self.config, self.run_flow, [(reader, params)], accounts)

    def read_findings(
        self,
        findings: str,
        *,
        accounts: Sequence[str] | str | None = None,
        paging: Paging | None = None,
        **params: Any,
    ) -> Findings:
        """Read a set of findings, as ``vulnerabilities``; see :data:`~airflow_provider_aegis.client.readers.FINDINGS`.

        :param accounts: ``None`` for the connection's own account, a list of account ids, or ``"all"`` for all of the
            organisation. One that cannot be read is in ``skipped`` of the iterator, with the reason.
        :param paging: ``page`` to read side by side what is read by token.
        :param params: further parameters of all its operations.
        :return: an iterator over the API's records; see :meth:`read_records`.
        :raises ConfigurationError: naming the argument that cannot be used.
        :raises SecurityCenterError: while iterating, if a page cannot be had.
        """
        reads = [
            (find_reader(read.action, paging=paging), {**read.params, **params})
            for read in find_findings(findings).reads
        ]
        return Findings(self.config, self.run_flow, reads, accounts)

    def settle_findings(
        self, findings: str, *, pause: float = PAUSE_SECONDS, longest: float = LONGEST_SECONDS, **params: Any
    ) -> Settled:
        """Wait until the count of a set of findings stands still: that of an image scan may lag its end by minutes.

        :param pause: seconds between two looks.
        :param longest: seconds in all.
        :param params: further parameters of all its operations.
        :return: whether two looks agreed, and their counts; of a list that hangs below another, those of the outer one.
        :raises ConfigurationError: if there is no such set.
        :raises SecurityCenterError: if a look fails.
        """
        reads = [(find_reader(read.action), {**read.params, **params}) for read in find_findings(findings).reads]
        flow = settle(self.config, lambda: _count(self.config, reads), pause=pause, longest=longest)
        settled: Settled = self.run_flow(flow)
        return settled


def _count(config: ClientConfig, reads: Sequence[tuple[Reader, Mapping[str, Any]]]) -> Flow[int]:
    """Read how many records there are, by the totals of their lists."""
    count = 0
    for reader, params in reads:
        each = reader.for_each
        if each and params.get(each.param) is None:
            reader, params = READERS[each.action], each.params
        payload = yield from _patiently(config, call(reader.action, **params, CurrentPage=1, PageSize=1))
        count += total_of(payload) or 0
    return count
