"""Find the task of a start that got no answer, or the task that is in the way of a start. It does no I/O itself.

``client/flows/submit.py`` explains how the two searches, by source and by time, fit together.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import (
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.flows.exchange import Flow, Sleep, exchange
from airflow_provider_aegis.client.flows.paginate import Pages, read_list
from airflow_provider_aegis.client.jobs.once_task import (
    OnceTaskRef,
    OnceTaskResult,
    Phase,
    as_time,
    task_id_of,
)
from airflow_provider_aegis.client.protocol.operations import Call, call

SOURCE_PREFIX = "airflow:"
# The service gives times in whole seconds, and an answer takes a moment to arrive.
TIME_TOLERANCE_SECONDS = 5.0
# A task that was just started may not be listed yet: only after these searches (seconds between them) is there none.
SEARCH_PAUSES_SECONDS = (0.0, 3.0, 6.0)
# How long after its intent was stored a start of an earlier try may have arrived, with all waits and attempts.
SUBMIT_WINDOW_SECONDS = 600.0
# While the service is down or throttles, a call is made again this often, until the deadline.
RETRY_PAUSE_SECONDS = 15.0
NOT_OVER = (Phase.RUNNING, Phase.UNHEARD)
OVER = (Phase.SUCCESS, Phase.TIMEOUT, Phase.FAILED)
# GetLastOnceTaskInfo may say so of a task that it does not know.
NO_SUCH_TASK = "TASK_NOT_EXISTS"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """When a start may have arrived, and what was there before it.

    :param since: the service's time just before the start, UNIX epoch seconds.
    :param before: ``CollectTime`` (milliseconds) of the last task of the same type and name before it, if any.
    :param seconds: length of the window.
    """

    since: float
    before: float | None = None
    seconds: float = SUBMIT_WINDOW_SECONDS

    def holds(self, began: float | None) -> bool | None:
        """Whether a task that began then can be the one; ``None`` where its time is not known.

        :param began: UNIX epoch milliseconds.
        """
        if began is None:
            return None
        within = self.since - TIME_TOLERANCE_SECONDS <= began / 1000 <= self.since + self.seconds
        return within and began != self.before


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was started.

    :param ours: whether this submission surely started it.
    :param found: whether its start was not answered, and it was found afterwards.
    """

    once_task_id: str
    ours: bool = True
    found: bool = False


# The service does not filter by Source, or refuses this one.
UNDECIDED = Submitted("")


def new_source() -> str:
    """Return a ``Source`` that no other submission has."""
    return f"{SOURCE_PREFIX}{secrets.token_hex(8)}"


def find_submitted(
    config: ClientConfig, request: Call, window: Window, *, deadline: float | None
) -> Flow[Submitted | None]:
    """Search for the task of a start without an answer.

    :param request: the GenerateOnceTask call.
    :param deadline: monotonic seconds of the service's clock.
    :return: ``None`` if the service's answers say that there is none.
    :raises OutcomeUnknownError: if they cannot tell.
    """
    try:
        source = str(request.params.get("Source") or "")
        if source.startswith(SOURCE_PREFIX):
            found = yield from _find_by_source(config, request, source, deadline)
            if found is not UNDECIDED:
                return found
        return (yield from _find_by_time(config, request, window, deadline))
    except OutcomeUnknownError:
        raise
    except SecurityCenterError as error:
        raise _unclear(request, f"the service could not be asked: {error}", error.request_id) from error


def _find_by_source(config: ClientConfig, request: Call, source: str, deadline: float | None) -> Flow[Submitted | None]:
    """Search by the source; :data:`UNDECIDED` if the service does not filter by it."""
    for pause in SEARCH_PAUSES_SECONDS:
        if pause:
            yield Sleep(pause)
        try:
            last = yield from retry_all(config, last_of_kind(request, source=source), deadline)
        except InvalidRequestError as error:
            log.debug("The service refuses this Source. %s", error)
            return UNDECIDED
        if not _names_a_task(last):
            continue
        records = yield from _records_of(config, request, deadline, Source=source)
        own = [record for record in records if record.get("Source") == source]
        if ids := [task_id_of(record.get("TaskId")) for record in own]:
            return Submitted(ids[0], found=True)  # the service lists the newest first
        unused = yield from retry_all(config, last_of_kind(request, source=new_source()), deadline)
        if _names_a_task(unused):
            log.warning("Security Center does not filter by Source; the scan is searched by its time.")
            return UNDECIDED
        ids = yield from _candidates(config, request, _moment(last), last, deadline)
        if len(ids) == 1:
            return Submitted(ids[0], found=True)
        raise _unclear(request, "the service knows the scan but not its id", OnceTaskResult(last).request_id)
    return None


def _find_by_time(
    config: ClientConfig, request: Call, window: Window, deadline: float | None
) -> Flow[Submitted | None]:
    unclear: str | None = None
    for pause in SEARCH_PAUSES_SECONDS:
        if pause:
            yield Sleep(pause)
        payload = yield from retry_all(config, last_of_kind(request), deadline)
        began_in_it = window.holds(began_at(payload))
        unclear = None
        if began_in_it is False:
            continue
        ids = yield from _candidates(config, request, window, payload if began_in_it else {}, deadline)
        if len(ids) == 1:
            return Submitted(ids[0], ours=False, found=True)
        last = OnceTaskResult(payload)
        if began_in_it or ids or last.phase is not Phase.MISSING:
            unclear = last.request_id
    if unclear is None:
        return None
    raise _unclear(request, "the service's answers do not tell", unclear)


def _unclear(request: Call, why: str, request_id: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"it is open whether the scan was started, and {why}. Look at the tasks in the console: cancel one that should "
        "not run, then clear this task.",
        action=request.operation.name,
        request_id=request_id,
    )


def retry_all(config: ClientConfig, call: Call, deadline: float | None) -> Flow[dict[str, Any]]:
    """Make a call, and make it again while the service is down or throttles, until the deadline."""
    reported = False
    while True:
        try:
            return (yield from exchange(config, call, deadline=deadline))
        except SecurityCenterError as error:
            late = deadline is None or config.clock.monotonic() + RETRY_PAUSE_SECONDS >= deadline
            if late or not error.transient:
                raise
            level = logging.DEBUG if reported else logging.WARNING
            log.log(level, "Security Center cannot be reached or throttles; retrying. %s", error)
            reported = True
        yield Sleep(RETRY_PAUSE_SECONDS)


def find_running(config: ClientConfig, request: Call, *, deadline: float | None) -> Flow[str | None]:
    """Return the id of the last task of the same type and name if it runs, so that it stands in the way of a start."""
    last = yield from retry_all(config, last_of_kind(request), deadline)
    if OnceTaskResult(last).phase not in (*NOT_OVER, Phase.MISSING) or not _names_a_task(last):
        return None
    ids = yield from _candidates(config, request, _moment(last), last, deadline, phases=NOT_OVER)
    return ids[0] if len(ids) == 1 else None


def last_of_kind(request: Call, *, source: str | None = None) -> Call:
    """Return the call that reads the last task of the same type and name, and of a source if one is given."""
    return ref_of(request).read_last(source)


def ref_of(request: Call, once_task_id: str = "") -> OnceTaskRef:
    """Name a task that was started by this request."""
    return OnceTaskRef(
        once_task_type=request.params["TaskType"], once_task_name=request.params["TaskName"], once_task_id=once_task_id
    )


def _names_a_task(last: Mapping[str, Any]) -> bool:
    """Whether an answer of GetLastOnceTaskInfo speaks of a task at all."""
    info = last.get("TaskInfo")
    if isinstance(info, Mapping) and info.get("Result") == NO_SUCH_TASK:
        return False
    return began_at(last) is not None or OnceTaskResult(last).phase is not Phase.MISSING


def began_at(record: Mapping[str, Any], name: str = "CollectTime") -> float | None:
    """When a task began, UNIX epoch milliseconds."""
    time = as_time(record.get(name))
    return None if time is None else float(time.timestamp() * 1000)


def _moment(last: Mapping[str, Any]) -> Window:
    """The window in which just the task of this answer began."""
    began = began_at(last)
    return Window(0.0) if began is None else Window(began / 1000, seconds=TIME_TOLERANCE_SECONDS)


def _candidates(
    config: ClientConfig,
    request: Call,
    window: Window,
    last: Mapping[str, Any],
    deadline: float | None,
    phases: tuple[Phase, ...] = tuple(set(Phase) - {Phase.MISSING}),
) -> Flow[list[str]]:
    """Ids of tasks that began in the window and that the service knows, in one of some phases, by that id."""
    known = yield from _verified(config, request, [task_id_of(last.get("TaskId"))], deadline, phases)
    since = int((window.since - TIME_TOLERANCE_SECONDS) * 1000)
    for read, time_name in ((_records_of, "TaskStartTime"), (_unfinished, "StartTime")):
        if known:
            return known
        records = yield from read(config, request, deadline, StartTimeQuery=max(since, 0))
        ids = [task_id_of(record.get("TaskId")) for record in records if window.holds(began_at(record, time_name))]
        known = yield from _verified(config, request, ids, deadline, phases)
    return known


def _verified(
    config: ClientConfig, request: Call, ids: list[str], deadline: float | None, phases: tuple[Phase, ...]
) -> Flow[list[str]]:
    known = []
    for once_task_id in dict.fromkeys(filter(None, ids)):
        try:
            payload = yield from retry_all(config, ref_of(request, once_task_id).read(), deadline)
        except InvalidRequestError:
            continue
        if OnceTaskResult(payload).phase in phases:
            known.append(once_task_id)
    return known


def _records_of(
    config: ClientConfig, request: Call, deadline: float | None, **wanted: Any
) -> Flow[list[Mapping[str, Any]]]:
    """Records of DescribeOnceTask, which does not list every type; of all pages."""
    pages = Pages("TaskManageResponseList", 50, key=("TaskId",), ahead=1)
    params = {"TaskType": request.params["TaskType"], **wanted}
    read = read_list(pages, "DescribeOnceTask", params, partial(retry_all, config, deadline=deadline))
    return (yield from _listed(request, read))


def _unfinished(config: ClientConfig, request: Call, deadline: float | None, **_: Any) -> Flow[list[Mapping[str, Any]]]:
    def read() -> Flow[list[Any]]:
        unfinished = call("ListUnfinishedOnceTask", TaskType=request.params["TaskType"])
        found = (yield from retry_all(config, unfinished, deadline)).get("OnceTasks")
        return found if isinstance(found, list) else []

    return (yield from _listed(request, read()))


def _listed(request: Call, read: Flow[list[Any]]) -> Flow[list[Mapping[str, Any]]]:
    try:
        records = yield from read
    except (PermissionDeniedError, InvalidRequestError) as error:
        log.debug("Not every list can be read for every type. %s", error)
        return []
    name = request.params["TaskName"]
    return [record for record in records if isinstance(record, Mapping) and record.get("TaskName", name) == name]
