"""One-time tasks: their status words, their answers, and the calls that start, read and cancel them.

Every coercion of the API's uneven types is here and nowhere else.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any

import pendulum

from airflow_provider_aegis.client.errors import ConfigurationError, ConflictError, ProtocolError
from airflow_provider_aegis.client.jobs.base import Outcome, Reading
from airflow_provider_aegis.client.protocol.operations import Call, call
from airflow_provider_aegis.client.protocol.redaction import printable
from airflow_provider_aegis.client.protocol.validation import check_text, optional_text

TOO_MANY_TASKS = "CanCreate=false"
DEFAULT_UNKNOWN_GRACE = 300.0

log = logging.getLogger(__name__)


# The types that the API's documentation names; the set is open.
KNOWN_TYPES = (
    "VUL_CHECK_TASK",
    "IMAGE_SCAN",
    "IMAGE_REGISTRY_PULL",
    "ASSETS_COLLECTION",
    "ASSET_SECURITY_CHECK",
    "ASSET_REFRESH_HOST",
    "CLIENT_PROBLEM_CHECK",
    "CLIENT_DEV_OPS",
    "AI_SECURITY_CHECK",
    "IDC_PROBE_SCAN",
    "ATTACK_SURFACE_SCAN",
    "ASSET_EXPOSURE_SCAN",
)


def unknown_type_warning(once_task_type: str) -> str:
    """Return what to tell of a type that is not documented, empty for one that is."""
    if once_task_type.strip() in KNOWN_TYPES:
        return ""
    near = get_close_matches(once_task_type.strip().upper(), KNOWN_TYPES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"documented are {', '.join(KNOWN_TYPES)}."
    return f"once_task_type {once_task_type!r:.60} is not documented and is sent as it is; {hint}"


class Phase(StrEnum):
    """What a status word means for a wait."""

    RUNNING = "running"
    SUCCESS = "success"
    TIMEOUT = "timeout"
    FAILED = "failed"
    UNHEARD = "unheard"  # an undocumented word: neither success nor failure
    MISSING = "missing"  # no word at all: the service does not know the task, or not yet


# The phases that end a wait. In every other one the task is read again.
OUTCOMES = {Phase.SUCCESS: Outcome.SUCCESS, Phase.TIMEOUT: Outcome.TIMEOUT, Phase.FAILED: Outcome.FAILED}


# Adding a word is a line here. Compared without case, white space, ``_``, ``-`` and ``.``.
STATUS_WORDS: dict[str, Phase] = {
    "INIT": Phase.RUNNING,
    "START": Phase.RUNNING,
    "DISPATCH": Phase.RUNNING,
    "PROCESSING": Phase.RUNNING,
    "MESSAGESEND": Phase.RUNNING,
    "PREANALYZER": Phase.RUNNING,
    "SUCCESS": Phase.SUCCESS,
    "TIMEOUT": Phase.TIMEOUT,
    "TIMOUT": Phase.TIMEOUT,  # spelt so by a sibling operation
    "FAIL": Phase.FAILED,
    "FAILED": Phase.FAILED,
}
SEPARATORS = str.maketrans("", "", " \t\r\n_-.")


def classify(status: object) -> Phase:
    """Say what a status word means; the set of words is open.

    :param status: ``TaskInfo.Status`` as it came.
    """
    if not isinstance(status, str) or not status.strip():
        return Phase.MISSING
    return _phase_of(status)


@lru_cache(maxsize=64)
def _phase_of(status: str) -> Phase:
    # Some letters of other alphabets have an ASCII one in upper case: "ſ" has "S".
    word = status.translate(SEPARATORS).upper() if status.isascii() else ""
    return STATUS_WORDS.get(word, Phase.UNHEARD)


@dataclass(frozen=True, slots=True)
class OnceTaskResult:
    """Typed access to an answer of GetOnceTaskResultInfo or GetLastOnceTaskInfo.

    :param payload: the answer, unchanged.
    """

    payload: Mapping[str, Any] = field(repr=False)

    @property
    def status(self) -> str | None:
        """The status word as the service spelt it, ``None`` where it gave none."""
        word = self._info.get("Status")
        return printable(word.strip()) if isinstance(word, str) and word.strip() else None

    @property
    def phase(self) -> Phase:
        """What the status means."""
        return classify(self._info.get("Status"))

    @property
    def progress(self) -> float | None:
        """Share of the work that is done, 0 to 1, ``None`` where the answer does not say."""
        total, done = as_number(self.payload.get("TotalCount")), as_number(self.payload.get("FinishCount"))
        if total and done is not None:
            return min(done / total, 1.0)
        percent = as_number(self._info.get("Progress"))
        return None if percent is None else min(percent / 100, 1.0)

    @property
    def collect_time(self) -> pendulum.DateTime | None:
        """When the run collected its data, in UTC, ``None`` where the answer does not say."""
        return as_time(self.payload.get("CollectTime"))

    @property
    def request_id(self) -> str:
        """The service's id of this answer, or an empty text."""
        return printable(self.payload.get("RequestId") or "")

    @property
    def _info(self) -> Mapping[str, Any]:
        info = self.payload.get("TaskInfo")
        return info if isinstance(info, Mapping) else {}


def as_number(value: object) -> float | None:
    """Read a count or a percentage: an int, its text, or text as ``10%``; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def as_time(value: object) -> pendulum.DateTime | None:
    """Read UNIX epoch milliseconds; ``None`` for anything else, zero included."""
    milliseconds = as_number(value)
    if not milliseconds:
        return None
    try:
        return pendulum.from_timestamp(milliseconds / 1000)
    except (ValueError, OverflowError, OSError):
        return None


def as_flag(value: object) -> bool | None:
    """Read a boolean or its text; ``None`` for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def task_id_of(value: object) -> str:
    """Read a task id, an opaque text, or a number as the API's schema has it; empty for what cannot be one.

    The API answers 0 for none, a template makes ``None`` of none, and of a payload a text that begins with a bracket.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return "" if text in ("0", "None") or text.startswith(("{", "[")) else text


def check_id(name: str, value: object) -> str:
    """Return a task id as text.

    :raises ConfigurationError: if it cannot be one. It often is a whole payload, or the ``TaskId`` in it, which is 0.
    """
    if text := task_id_of(value):
        return text
    if value is None or isinstance(value, str):
        check_text(name, value)
    what = "0" if str(value).strip() == "0" else "a payload" if isinstance(value, str) else type(value).__name__
    raise ConfigurationError(
        f"{name} must be the id of a scan, not {what}. A task that waits for its scan returns the payload: "
        f'take the XCom with the key once_task_id, as in XComArg(scan, key="once_task_id").'
    )


def started_id(payload: Mapping[str, Any]) -> str:
    """Return the id of the task that GenerateOnceTask started.

    :raises ConflictError: if the answer says that nothing was created.
    :raises ProtocolError: if it says so neither and names no task.
    """
    known: dict[str, Any] = {"action": "GenerateOnceTask", "request_id": str(payload.get("RequestId") or "")}
    if as_flag(payload.get("CanCreate")) is False:
        raise ConflictError(
            "nothing was started, because too many scan tasks run in this account (10 at a time): wait for one to end.",
            code=TOO_MANY_TASKS,
            **known,
        )
    if once_task_id := task_id_of(payload.get("TaskId")):
        return once_task_id
    raise ProtocolError(
        "the answer names no TaskId, so it cannot be told which task was started: look at the tasks in the console.",
        **known,
    )


def generate_once_task(
    *,
    once_task_type: str,
    once_task_name: str | None = None,
    param: Mapping[str, Any] | str | None = None,
    source: str | None = None,
) -> Call:
    """Build a GenerateOnceTask call.

    :param once_task_name: the type where it is not given, as in every published use.
    :param param: options of the task, a mapping or the text of a JSON object; ``{}`` where nothing is given.
    :raises ConfigurationError: if an argument is empty or not a string, or ``param`` is not a JSON object.
    """
    once_task_type = check_text("once_task_type", once_task_type)
    return call(
        "GenerateOnceTask",
        TaskType=once_task_type,
        TaskName=_name(once_task_name, once_task_type),
        Param=param_text(param),
        Source=optional_text("source", source),
    )


def _name(once_task_name: str | None, once_task_type: str) -> str:
    return (optional_text("once_task_name", once_task_name) or once_task_type).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceTaskRef:
    """Names one one-time task, or a kind of them where the id is not known. Its fields are checked when they are sent.

    :param once_task_name: the type where it is not given.
    """

    once_task_type: str
    once_task_name: str | None = None
    once_task_id: str = ""

    def read(self) -> Call:
        """Build the GetOnceTaskResultInfo call.

        :raises ConfigurationError: if a field is empty or not a string, or the id cannot be one.
        """
        return self._call("GetOnceTaskResultInfo", TaskId=check_id("once_task_id", self.once_task_id))

    def read_last(self, source: str | None = None) -> Call:
        """Build the GetLastOnceTaskInfo call, which reads the last task of this type and name.

        :param source: only tasks of this source.
        :raises ConfigurationError: if a field is empty or not a string.
        """
        return self._call("GetLastOnceTaskInfo", Source=optional_text("source", source))

    def cancel(self) -> Call:
        """Build the CancelOnceTask call.

        :raises ConfigurationError: if the id is empty, or cannot be one.
        """
        return cancel_once_task(self.once_task_id)

    @property
    def kind(self) -> tuple[str, str]:
        """Type and name, as they are sent.

        :raises ConfigurationError: if one of them is empty or not a string.
        """
        once_task_type = check_text("once_task_type", self.once_task_type)
        return once_task_type, _name(self.once_task_name, once_task_type)

    def _call(self, action: str, **params: Any) -> Call:
        once_task_type, name = self.kind
        return call(action, TaskType=once_task_type, TaskName=name, **params)


def cancel_once_task(once_task_id: str) -> Call:
    """Build a CancelOnceTask call.

    :raises ConfigurationError: if the id is empty, or cannot be one.
    """
    return call("CancelOnceTask", TaskId=check_id("once_task_id", once_task_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceTask:
    """A one-time task that can be started; see :func:`generate_once_task` for its fields."""

    once_task_type: str
    once_task_name: str | None = None
    param: Mapping[str, Any] | str | None = field(default=None, repr=False)
    source: str | None = None

    def submit(self) -> Call:
        """Build the GenerateOnceTask call.

        :raises ConfigurationError: if a field is empty or not a string, or ``param`` is not a JSON object.
        """
        return generate_once_task(
            once_task_type=self.once_task_type, once_task_name=self.once_task_name, param=self.param, source=self.source
        )

    def ref(self, payload: Mapping[str, Any]) -> OnceTaskRef:
        """Name the task that was started; see :func:`started_id`."""
        return OnceTaskRef(
            once_task_type=self.once_task_type,
            once_task_name=self.once_task_name,
            once_task_id=started_id(payload),
        )


@dataclass(slots=True)
class OnceTaskJudge:
    """Says what the answers of GetOnceTaskResultInfo mean in one wait, and logs each new status.

    :param unknown_grace: seconds for which the service need not know the task.
    :ivar unknown_since: when the service began not to know the task, by the clock of ``now``.
    :ivar status: the last status word.
    """

    unknown_grace: float = DEFAULT_UNKNOWN_GRACE
    unknown_since: float | None = None
    status: str | None = None
    undocumented: set[str] = field(default_factory=set)

    def judge(self, payload: Mapping[str, Any], now: float) -> Reading:
        """Say how the task stands; see :class:`~airflow_provider_aegis.client.jobs.base.Judge`."""
        result = OnceTaskResult(payload)
        self._log_change(result)
        if result.phase is not Phase.MISSING:
            self.unknown_since = None
            return Reading(OUTCOMES.get(result.phase), result.progress)
        if self.unknown_since is None:
            self.unknown_since = now
        given_up = now - self.unknown_since >= self.unknown_grace
        return Reading(Outcome.UNKNOWN_TASK if given_up else None, result.progress)

    def _log_change(self, result: OnceTaskResult) -> None:
        if result.phase is Phase.UNHEARD and result.status and result.status not in self.undocumented:
            self.undocumented.add(result.status)
            log.warning("Status %r is not documented; it is taken for running.", result.status)
        if result.status != self.status:
            self.status = result.status
            done = f", {result.progress:.0%} done" if result.progress is not None else ""
            log.info("Status %s%s (RequestId %s)", result.status or "none yet", done, result.request_id or "unknown")


def param_text(param: Mapping[str, Any] | str | None) -> str:
    """Return the text of a task's options.

    :raises ConfigurationError: if it is not a JSON object; says where the text stops being one.
    """
    if param is None or (isinstance(param, str) and not param.strip()):
        return "{}"
    if isinstance(param, str):
        try:
            value = json.loads(param, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno} column {error.colno}"
            raise ConfigurationError(f"param is not JSON: {error.msg} at {where}.") from error
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"param is not JSON: {error}.") from error
        if not isinstance(value, dict):
            raise ConfigurationError(f"param must be a JSON object ({{…}}), and is {type(value).__name__} at line 1.")
        return param.strip()
    if not isinstance(param, Mapping):
        raise ConfigurationError(f"param must be a mapping or the text of a JSON object, not {type(param).__name__}.")
    try:
        return json.dumps(param, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_as_dict)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"param cannot be written as JSON: {error}.") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
