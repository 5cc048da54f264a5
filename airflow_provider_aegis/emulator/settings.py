"""Everything about the emulator that can be set, with its kinds and defaults in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from the least to the most."""

    least: float
    most: float


# Beyond a century dates overflow; the API's counts are of 32 bits.
CENTURY = 100 * 365 * 86400
Seconds: TypeAlias = Annotated[float, Range(0, CENTURY)]
Skew: TypeAlias = Annotated[float, Range(-CENTURY, CENTURY)]
Share: TypeAlias = Annotated[float, Range(0, 1)]
Int32: TypeAlias = Annotated[int, Range(0, 2**31 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the emulator behaves. Adding a setting is a line here.

    How tasks run (what is set holds for tasks started afterwards):

    :param seconds: how long a task takes.
    :param outcome: the status word it ends with; any word, since the service's set is open.
    :param total_count: how many items a task has to do.
    :param cancelled_status: the status of a cancelled task. No documentation says what the service reports then.

    What is refused:

    :param running_limit: how many tasks may run at a time; one more is answered ``CanCreate=false``.
    :param repeat_check: ``name`` refuses a second running task of the same TaskType and TaskName, ``off`` does not.
    :param collection_period: seconds that must lie between two starts of ASSETS_COLLECTION.
    :param requests_per_second: ceiling for each action; 0 for none.
    :param denied: actions that the keys have no permission for; ``*`` stands for all of them.

    What it finds (see the module ``readers``):

    :param seed: what all records are drawn from; the same one gives the same records.
    :param findings: how many records a list has before any scan, 1,000,000 at the most.
    :param machines: how many machines there are.
    :param images: how many images there are.
    :param offline_machines: how many machines do not report: they have no findings, and the inventory says so.
    :param new_by_scan: how many records a scan that succeeds adds to the lists of what it looks for.
    :param fixed_by_scan: how many it takes off.
    :param accounts: members of the organisation besides the administrator.
    :param denied_accounts: members that cannot be read for want of a permission.
    :param free_accounts: members that cannot be read because of their edition.

    How lists are given:

    :param latency: seconds before each answer.
    :param page_limit: records in a page at the most, whatever is asked for.
    :param appearing: how many records come in front of a list with each page that is read by number.
    :param vanishing: how many records at the front of a list go with each page that is read by number.
    :param total_drift: how much larger each page says the total is than the page before.
    :param page_counts_as_text: whether the total, the size and the number of a page are strings.

    What is odd about the service:

    :param clock_skew: seconds that its clock is ahead of the real one.
    :param task_info: whether a result's TaskInfo is there, ``null``, or missing.
    :param result_task_id: what a result's TaskId is: ``0``, the hex id, or missing.
    :param counts_as_text: whether a result's counts are strings.
    :param count_overshoot: how far FinishCount lies above what is done, as in the documentation's 47 of 44.
    :param report_progress: whether a result has its counts and its Progress.
    :param running_status: a word in place of INIT and START.
    :param last_task_newline: whether LastTask ends in a newline.
    :param unknown_for: seconds after its start in which GetOnceTaskResultInfo does not know a task.
    :param errors_as_200: whether errors are sent with HTTP status 200.
    :param source_filter: what ``Source`` does. ``honoured``: records repeat it and reads filter by it. ``ignored``:
        GenerateOnceTask takes it, records do not repeat it and reads do not filter. ``refused``: only a few values are
        known, any other is answered InvalidParameter.
    """

    seconds: Seconds = 5.0
    outcome: str = "SUCCESS"
    total_count: Int32 = 44
    cancelled_status: str = "FAIL"

    running_limit: Int32 = 10
    repeat_check: Literal["name", "off"] = "name"
    collection_period: Seconds = 0.0
    requests_per_second: Int32 = 10
    denied: tuple[str, ...] = ()

    seed: Int32 = 0
    findings: Annotated[int, Range(0, 1_000_000)] = 25
    machines: Int32 = 5
    images: Int32 = 3
    offline_machines: Int32 = 0
    new_by_scan: Int32 = 2
    fixed_by_scan: Int32 = 1
    accounts: tuple[str, ...] = ()
    denied_accounts: tuple[str, ...] = ()
    free_accounts: tuple[str, ...] = ()

    latency: Seconds = 0.0
    page_limit: Annotated[int, Range(1, 2**31 - 1)] = 100
    appearing: Int32 = 0
    vanishing: Int32 = 0
    total_drift: Int32 = 0
    page_counts_as_text: bool = False

    clock_skew: Skew = 0.0
    task_info: Literal["present", "null", "absent"] = "present"
    result_task_id: Literal["zero", "hex", "absent"] = "zero"
    counts_as_text: bool = False
    count_overshoot: Int32 = 0
    report_progress: bool = True
    running_status: str | None = None
    last_task_newline: bool = False
    unknown_for: Seconds = 0.0
    errors_as_200: bool = False
    source_filter: Literal["honoured", "ignored", "refused"] = "honoured"

    def __post_init__(self) -> None:
        """Check each setting.

        :raises ValueError: if one is not of its kind.
        """
        for one in fields(self):
            check(f"the setting {one.name}", getattr(self, one.name), KINDS[one.name])


KINDS: dict[str, Any] = get_type_hints(Settings, include_extras=True)


def changed(settings: Settings, **changes: Any) -> Settings:
    """Return settings of which some are changed.

    :raises ValueError: if a name is no setting, or a value not of its kind.
    """
    for name in changes:
        if name not in KINDS:
            raise ValueError(f"{name!r} is not a setting; there are: {', '.join(KINDS)}")
    return replace(settings, **{name: _frozen(value) for name, value in changes.items()})


def check(name: str, value: object, kind: Any) -> None:
    """Check a value that comes from outside.

    :param kind: a type, as the settings are annotated with.
    :raises ValueError: if it is not of the kind; the text names it.
    """
    if not _fits(value, kind):
        raise ValueError(f"{name} cannot be {value!r:.100}: it is of the kind {_spell(kind)}")


def _fits(value: Any, kind: Any) -> bool:
    members = get_args(kind)
    match get_origin(kind):
        case origin if origin is Annotated:
            base, span = members
            return _fits(value, base) and span.least <= value <= span.most
        case origin if origin is Literal:
            return value in members
        case origin if origin in (UnionType, Union):
            return any(_fits(value, member) for member in members)
        case origin if origin is tuple:
            return isinstance(value, tuple) and all(isinstance(member, str) for member in value)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _spell(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, span = get_args(kind)
        return f"{base.__name__} from {span.least} to {span.most}"
    if get_origin(kind) in (UnionType, Union):
        return " or ".join(map(_spell, get_args(kind)))
    if kind is type(None):
        return "None"
    return kind.__name__ if isinstance(kind, type) else str(kind).removeprefix("typing.")
