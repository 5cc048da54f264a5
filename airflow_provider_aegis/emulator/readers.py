"""The readers: lists of findings in pages, by number and by token, which follow the scans that were run.

A list is a span of numbers, and each number is a record (see :mod:`~airflow_provider_aegis.emulator.records`). A scan
that succeeds takes some off its beginning, which are fixed, and adds some at its end, which are new. Machines that do
not report have no findings, and the inventory says that they are offline. Filters other than those of accounts and of
what a list hangs on are not played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from airflow_provider_aegis.client.readers import ACCOUNT, FINDINGS, Reader
from airflow_provider_aegis.emulator.errors import EmulatedError
from airflow_provider_aegis.emulator.payloads import Payload
from airflow_provider_aegis.emulator.records import RECORDS, Place, image_uuid_of, uuid_of
from airflow_provider_aegis.emulator.tasks import TaskStore

Params = Mapping[str, str]

OWN_ACCOUNT = "1000000000000000"
DEFAULT_PAGE_SIZE = 20
# Of the types of vulnerabilities most are of the first; a scan changes these alone.
SHARES = {"cve": 1.0, "sys": 0.1, "cms": 0.04, "app": 0.1, "emg": 0.04}
# Readers whose lists are as long as there are machines or images; those that hang on something have a few records.
OF_MACHINES = (
    "DescribeCloudCenterInstances",
    "DescribeWarningMachines",
    "ListCheckItemWarningMachine",
    "ListVirusScanMachine",
)
OF_IMAGES = ("DescribeImageInstances",)
INNER_RECORDS = 3
# Findings on machines, which those have not that do not report.
ON_MACHINES = ("DescribeVulList", "DescribeSuspEvents", "ListCheckItemWarningMachine", "ListVirusScanMachine")


def answer_of(reader: Reader) -> Callable[[TaskStore, Params], Payload]:
    """Return what answers a reader."""
    return answer_monitor_accounts if reader.action == "DescribeMonitorAccounts" else partial(answer_reader, reader)


def required_of(reader: Reader) -> tuple[str, ...]:
    """Return the parameters without which a reader is refused; the one that its list hangs on is always wanted here."""
    hanging = (reader.for_each.param,) if reader.for_each else ()
    return tuple(dict.fromkeys((*reader.required, *hanging)))


def answer_monitor_accounts(store: TaskStore, _: Params) -> Payload:
    """Answer DescribeMonitorAccounts: the administrator's own account, and its members."""
    accounts = [OWN_ACCOUNT, *store.settings.accounts] if store.settings.accounts else []
    infos = [{"AccountId": one, "OperatorUid": OWN_ACCOUNT, "SasVersion": "3"} for one in accounts]
    return {"AccountIds": accounts, "AccountIdInfos": infos}


def answer_reader(reader: Reader, store: TaskStore, params: Params) -> Payload:
    """Answer any other reader.

    :raises EmulatedError: if the account cannot be read, or a parameter of paging does not do.
    """
    _check_account(reader, store, params)
    begin, end = _span(reader, store, params)
    size = min(_whole(params, "PageSize", DEFAULT_PAGE_SIZE), store.settings.page_limit)
    if reader.paging == "none":
        return {reader.records: _records(reader, store, params, range(begin, end))}
    if reader.token and params.get("UseNextToken", "").lower() == "true":
        return _page_by_token(reader, store, params, (begin, end), size)
    page = _whole(params, "CurrentPage", 1)
    begin -= _shift(reader, store, params, page)
    numbers = _Numbers(reader, store, begin, end)
    at = (page - 1) * size
    shown = numbers.slice(at, size)
    total = len(numbers) + store.settings.total_drift * (page - 1)
    told = {"CurrentPage": page, "PageSize": size, "TotalCount": total}
    return _answer(reader, store, told, _records(reader, store, params, shown))


def _page_by_token(reader: Reader, store: TaskStore, params: Params, span: tuple[int, int], size: int) -> Payload:
    """A page of the list as it was when its first page was given, which the token says."""
    at = 0
    if token := params.get("NextToken"):
        try:
            begin, end, at = (int(part) for part in token.split("."))
        except ValueError as error:
            raise EmulatedError("InvalidParameter", "NextToken is not one of this list.") from error
        span = begin, end
    numbers = _Numbers(reader, store, *span)
    following = at + size
    told: Payload = {"PageSize": size}
    if following < len(numbers):
        told["NextToken"] = ".".join(map(str, (*span, following)))
    return _answer(reader, store, told, _records(reader, store, params, numbers.slice(at, size)))


def _answer(reader: Reader, store: TaskStore, told: Payload, records: list[Payload]) -> Payload:
    if not reader.total:
        return {reader.records: records}
    if store.settings.page_counts_as_text:
        told = {name: str(value) for name, value in told.items()}
    return {reader.records: records} | ({"PageInfo": told} if reader.total == "PageInfo" else told)


class _Numbers:
    """The numbers of a list's records: a span, without those on machines that do not report."""

    def __init__(self, reader: Reader, store: TaskStore, begin: int, end: int) -> None:
        machines = max(1, store.settings.machines)
        silent = min(store.settings.offline_machines, machines) if reader.action in ON_MACHINES else 0
        self._machines, self._heard = machines, machines - silent
        self._before = self._heard_below(begin)
        self._count = max(0, self._heard_below(end) - self._before)

    def __len__(self) -> int:
        return self._count

    def slice(self, at: int, count: int) -> list[int]:
        """Return some of them, without making those before."""
        last = min(at + count, self._count)
        return [self._nth(self._before + position) for position in range(at, last)]

    def _heard_below(self, number: int) -> int:
        rounds, rest = divmod(number, self._machines)
        return rounds * self._heard + min(rest, self._heard)

    def _nth(self, position: int) -> int:
        rounds, rest = divmod(position, self._heard)
        return rounds * self._machines + rest


def _records(reader: Reader, store: TaskStore, params: Params, numbers: Iterable[int]) -> list[Payload]:
    settings, make = store.settings, RECORDS[reader.action]
    machines = max(1, settings.machines)
    heard = machines - settings.offline_machines
    seed = settings.seed + sum(map(ord, params.get(ACCOUNT, "")))
    outer = params.get(reader.for_each.param, "") if reader.for_each else ""
    how: dict[str, Any] = {"kind": params.get("Type", ""), "english": params.get("Lang") == "en", "outer": outer}
    return [
        make(Place(number, seed, number % machines, offline=number % machines >= heard, **how)) for number in numbers
    ]


def _span(reader: Reader, store: TaskStore, params: Params) -> tuple[int, int]:
    settings = store.settings
    if reader.action in OF_MACHINES:
        count = settings.machines
    elif reader.action in OF_IMAGES:
        count = settings.images
    elif reader.for_each or reader.paging == "none":
        count = INNER_RECORDS
    else:
        count = int(settings.findings * SHARES.get(params.get("Type", ""), 1.0))
    scans = _scans(reader, store, params)
    return settings.fixed_by_scan * scans, count + settings.new_by_scan * scans


def _scans(reader: Reader, store: TaskStore, params: Params) -> int:
    """How many scans have changed a list."""
    if reader.action in OF_MACHINES or params.get("Type", "cve") != "cve":
        return 0
    if reader.for_each and params.get(reader.for_each.param) not in (uuid_of(0), image_uuid_of(0)):
        return 0  # of lists that hang on something those of the first change
    if reader.action == "ListVirusScanMachineEvent":
        return len(store.virus_scans)
    return sum(
        task.status == "SUCCESS" and not task.running
        for once_task_type in TYPES.get(reader.action, ())
        for task in store.newest(task_type=once_task_type)
    )


# The scans that find what a reader gives.
TYPES = {read.action: one.once_task_types for one in FINDINGS.values() for read in one.reads}


def _shift(reader: Reader, store: TaskStore, params: Params, page: int) -> int:
    """How many records have come in front of a list since its first page was asked for; less than 0: have gone."""
    settings = store.settings
    if not (settings.appearing or settings.vanishing):
        return 0
    named = f"{reader.action} {params.get('Type')} {params.get(ACCOUNT)}"
    pages = store.pages_given[named] = 0 if page == 1 else store.pages_given.get(named, 0) + 1
    return (settings.appearing - settings.vanishing) * pages


def _check_account(reader: Reader, store: TaskStore, params: Params) -> None:
    account, settings = params.get(ACCOUNT, ""), store.settings
    if not account or not reader.accounts:
        return
    if account in settings.free_accounts:
        raise EmulatedError("FreeVersionNotPermit")
    if account not in settings.accounts or account in settings.denied_accounts:
        raise EmulatedError("NoPermission")


def _whole(params: Params, name: str, default: int) -> int:
    text = params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise EmulatedError("InvalidParameter", f"{name} is not a whole number from 1.")
    return int(text)
