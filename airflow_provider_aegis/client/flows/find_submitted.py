"""Find the task of a start that got no answer, or the task that is in the way of a start. It does no I/O itself.

``client/flows/submit.py`` explains how the two searches, by source and by time, fit together.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import (
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.flows.exchange import Flow, Patience, Sleep, exchange
from airflow_provider_aegis.client.flows.paginate import Pages, read_list
from airflow_provider_aegis.client.jobs.once_task import (
    OnceTaskRef,
    OnceTaskResult,
    Phase,
    as_time,
    task_id_of,
)
from airflow_provider_aegis.client.protocol.operations import call

SOURCE_PREFIX = "airflow:"
# The service gives times in whole seconds, and an answer takes a moment to arrive.
TIME_TOLERANCE_SECONDS = 5.0
# A task that was just started may not be listed yet, so the search is repeated after these pauses (seconds).
SEARCH_PAUSES_SECONDS = (0.0, 3.0, 6.0)
# How long after its intent was stored a start of an earlier try may have arrived, with all waits and attempts.
SUBMIT_WINDOW_SECONDS = 600.0
NOT_OVER = (Phase.RUNNING, Phase.UNHEARD)
OVER = (Phase.SUCCESS, Phase.TIMEOUT, Phase.FAILED)
# GetLastOnceTaskInfo may say so of a task that it does not know.
NO_SUCH_TASK = "TASK_NOT_EXISTS"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A task that was started, or is about to be, with everything by which it can be found again.

    :param source: the ``Source`` by which it is found; empty if it has none of its own.
    :param since: the service's time just before the start, UNIX epoch seconds.
    :param before: when the last task of the same type and name before it began, UNIX epoch milliseconds.
    :param once_task_id: empty as long as the start is not known to have arrived.
    :param ours: whether this submission surely started the task; only then is the task ever cancelled.
    """

    once_task_type: str
    once_task_name: str
    source: str = ""
    since: float = 0.0
    before: float | None = None
    once_task_id: str = ""
    ours: bool = True

    @property
    def ref(self) -> OnceTaskRef:
        """The task, as far as it is known."""
        return OnceTaskRef(
            once_task_type=self.once_task_type, once_task_name=self.once_task_name, once_task_id=self.once_task_id
        )


S = TypeVar("S", bound=Submission)


@dataclass(frozen=True, slots=True)
class _Window:
    """When a task may have begun.

    :param since: UNIX epoch seconds.
    :param seconds: length of the window.
    :param before: when the task before it began, UNIX epoch milliseconds.
    """

    since: float
    seconds: float
    before: float | None = None

    def holds(self, began: float | None) -> bool | None:
        """Whether a task that began then can be the one; ``None`` where its time is not known.

        :param began: UNIX epoch milliseconds.
        """
        if began is None:
            return None
        within = self.since - TIME_TOLERANCE_SECONDS <= began / 1000 <= self.since + self.seconds
        return within and began != self.before


class _SourceIgnoredError(Exception):
    """The service does not filter by ``Source``, or refuses this one."""


def new_source() -> str:
    """Return a ``Source`` that no other submission has."""
    return f"{SOURCE_PREFIX}{secrets.token_hex(8)}"


def find_submitted(
    config: ClientConfig, submission: S, *, deadline: float | None, seconds: float = SUBMIT_WINDOW_SECONDS
) -> Flow[S | None]:
    """Search for the task of a start that got no answer.

    :param deadline: monotonic seconds of the service's clock.
    :param seconds: how long after ``since`` the start may have arrived.
    :return: the submission with the id of its task; ``None`` if the service's answers say that there is none.
    :raises OutcomeUnknownError: if they cannot tell.
    """
    try:
        try:
            if not submission.source:
                raise _SourceIgnoredError
            once_task_id = yield from _find_by_source(config, submission, deadline)
            ours = True
        except _SourceIgnoredError:
            window = _Window(submission.since, seconds, submission.before)
            once_task_id = yield from _find_by_time(config, submission.ref, window, deadline)
            ours = False
    except OutcomeUnknownError:
        raise
    except SecurityCenterError as error:
        raise _unclear(f"the service could not be asked: {error}", error.request_id) from error
    if once_task_id is None:
        return None
    log.info("Scan %s was found again; its start had got no answer.", once_task_id)
    return replace(submission, once_task_id=once_task_id, ours=ours)


def _find_by_source(config: ClientConfig, submission: Submission, deadline: float | None) -> Flow[str | None]:
    """Search by the source.

    :raises _SourceIgnoredError: if the service does not filter by it.
    """
    task, source = submission.ref, submission.source
    for pause in SEARCH_PAUSES_SECONDS:
        if pause:
            yield Sleep(pause)
        try:
            last = yield from exchange(config, task.read_last(source), deadline=deadline, patience=Patience.DEADLINE)
        except InvalidRequestError as error:
            log.debug("The service refuses this Source. %s", error)
            raise _SourceIgnoredError from error
        if not _names_a_task(last):
            continue
        records = yield from _records_of(config, task, deadline, Source=source)
        own = [record for record in records if record.get("Source") == source]
        if ids := [task_id_of(record.get("TaskId")) for record in own]:
            return ids[0]  # the service lists the newest first
        unused = yield from exchange(
            config, task.read_last(new_source()), deadline=deadline, patience=Patience.DEADLINE
        )
        if _names_a_task(unused):
            log.warning("Security Center does not filter by Source; the scan is searched by its time.")
            raise _SourceIgnoredError
        ids = yield from _candidates(config, task, _moment(last), last, deadline)
        if len(ids) == 1:
            return ids[0]
        raise _unclear("the service knows the scan but not its id", OnceTaskResult(last).request_id)
    return None


def _find_by_time(config: ClientConfig, task: OnceTaskRef, window: _Window, deadline: float | None) -> Flow[str | None]:
    unclear: str | None = None
    for pause in SEARCH_PAUSES_SECONDS:
        if pause:
            yield Sleep(pause)
        payload = yield from exchange(config, task.read_last(), deadline=deadline, patience=Patience.DEADLINE)
        began_in_it = window.holds(began_at(payload))
        unclear = None
        if began_in_it is False:
            continue
        ids = yield from _candidates(config, task, window, payload if began_in_it else {}, deadline)
        if len(ids) == 1:
            return ids[0]
        last = OnceTaskResult(payload)
        if began_in_it or ids or last.phase is not Phase.MISSING:
            unclear = last.request_id
    if unclear is None:
        return None
    raise _unclear("the service's answers do not tell", unclear)


def _unclear(why: str, request_id: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"it is open whether the scan was started, and {why}. Look at the tasks in the console: cancel one that should "
        "not run, then clear this task.",
        action="GenerateOnceTask",
        request_id=request_id,
    )


def find_running(config: ClientConfig, task: OnceTaskRef, *, deadline: float | None) -> Flow[OnceTaskRef | None]:
    """Return the last task of a type and name if it runs, so that it stands in the way of a start."""
    last = yield from exchange(config, task.read_last(), deadline=deadline, patience=Patience.DEADLINE)
    if OnceTaskResult(last).phase not in (*NOT_OVER, Phase.MISSING) or not _names_a_task(last):
        return None
    ids = yield from _candidates(config, task, _moment(last), last, deadline, phases=NOT_OVER)
    return replace(task, once_task_id=ids[0]) if len(ids) == 1 else None


def _names_a_task(last: Mapping[str, Any]) -> bool:
    """Whether an answer of GetLastOnceTaskInfo is about a task at all."""
    info = last.get("TaskInfo")
    if isinstance(info, Mapping) and info.get("Result") == NO_SUCH_TASK:
        return False
    return began_at(last) is not None or OnceTaskResult(last).phase is not Phase.MISSING


def began_at(record: Mapping[str, Any], name: str = "CollectTime") -> float | None:
    """Return when a task began, UNIX epoch milliseconds; ``None`` where it is not known."""
    time = as_time(record.get(name))
    return None if time is None else float(time.timestamp() * 1000)


def _moment(last: Mapping[str, Any]) -> _Window:
    """Return the window in which the task of this answer began, and hardly another one."""
    began = began_at(last)
    if began is None:
        return _Window(0.0, SUBMIT_WINDOW_SECONDS)
    return _Window(began / 1000, TIME_TOLERANCE_SECONDS)


def _candidates(
    config: ClientConfig,
    task: OnceTaskRef,
    window: _Window,
    last: Mapping[str, Any],
    deadline: float | None,
    phases: tuple[Phase, ...] = tuple(set(Phase) - {Phase.MISSING}),
) -> Flow[list[str]]:
    """Return the ids of the tasks that began in the window and are in one of the phases."""
    known = yield from _verified(config, task, [task_id_of(last.get("TaskId"))], deadline, phases)
    since = int((window.since - TIME_TOLERANCE_SECONDS) * 1000)
    for read, time_name in ((_records_of, "TaskStartTime"), (_unfinished, "StartTime")):
        if known:
            return known
        records = yield from read(config, task, deadline, StartTimeQuery=max(since, 0))
        ids = [task_id_of(record.get("TaskId")) for record in records if window.holds(began_at(record, time_name))]
        known = yield from _verified(config, task, ids, deadline, phases)
    return known


def _verified(
    config: ClientConfig, task: OnceTaskRef, ids: list[str], deadline: float | None, phases: tuple[Phase, ...]
) -> Flow[list[str]]:
    known = []
    for once_task_id in dict.fromkeys(filter(None, ids)):
        try:
            payload = yield from exchange(
                config, replace(task, once_task_id=once_task_id).read(), deadline=deadline, patience=Patience.DEADLINE
            )
        except InvalidRequestError:
            continue
        if OnceTaskResult(payload).phase in phases:
            known.append(once_task_id)
    return known


def _records_of(
    config: ClientConfig, task: OnceTaskRef, deadline: float | None, **wanted: Any
) -> Flow[list[Mapping[str, Any]]]:
    """Read the records of DescribeOnceTask, all pages. It does not list every type."""
    pages = Pages("TaskManageResponseList", 50, key=("TaskId",), ahead=1)
    params = {"TaskType": task.kind[0], **wanted}
    ask = partial(exchange, config, deadline=deadline, patience=Patience.DEADLINE)
    read = read_list(pages, "DescribeOnceTask", params, ask)
    return (yield from _listed(task, read))


def _unfinished(
    config: ClientConfig, task: OnceTaskRef, deadline: float | None, **_: Any
) -> Flow[list[Mapping[str, Any]]]:
    def read() -> Flow[list[Any]]:
        unfinished = call("ListUnfinishedOnceTask", TaskType=task.kind[0])
        payload = yield from exchange(config, unfinished, deadline=deadline, patience=Patience.DEADLINE)
        found = payload.get("OnceTasks")
        return found if isinstance(found, list) else []

    return (yield from _listed(task, read()))


def _listed(task: OnceTaskRef, read: Flow[list[Any]]) -> Flow[list[Mapping[str, Any]]]:
    try:
        records = yield from read
    except (PermissionDeniedError, InvalidRequestError) as error:
        log.debug("Not every list can be read for every type. %s", error)
        return []
    _, name = task.kind
    return [record for record in records if isinstance(record, Mapping) and record.get("TaskName", name) == name]
