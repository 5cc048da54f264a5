"""Starting a task as a conversation that never starts a second one for want of an answer.

GenerateOnceTask is not idempotent and takes no token. So what was there before is read first; when it stays open
whether a start arrived, the service is asked for a task that began since. It does no I/O itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_aegis.client.errors import (
    ConflictError,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProtocolError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.exchange import Conversation, Sleep, exchange, server_time
from airflow_provider_aegis.client.once_task import (
    OnceTaskResult,
    Phase,
    as_time,
    get_last_once_task_info,
    get_once_task_result_info,
    started_id,
    task_id_of,
)
from airflow_provider_aegis.client.operations import Call, call
from airflow_provider_aegis.client.service import Service

# The service names time in whole seconds, and an answer takes a moment to arrive.
SLACK = 5.0
# A task that was just started may not show yet: only after these looks (seconds between them) is there none.
LOOKS = (0.0, 3.0, 6.0)
# How long after the record of an intent its request may have reached the service, with all waits and attempts.
SUBMIT_WINDOW = 600.0
# While the service is down or throttles, it is asked again this often (seconds), until the deadline.
PAUSE = 15.0
BUSY = (Phase.RUNNING, Phase.UNHEARD)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """When a start may have arrived, and what was there before it.

    :param since: the service's time just before the start, UNIX epoch seconds.
    :param before: ``CollectTime`` (milliseconds) of the last task of the same type and name before it, if any.
    """

    since: float
    before: float | None = None

    def holds(self, began: float | None) -> bool | None:
        """Whether a task that began then can be the one; ``None`` where its time is not known.

        :param began: UNIX epoch milliseconds.
        """
        if began is None:
            return None
        within = self.since - SLACK <= began / 1000 <= self.since + SUBMIT_WINDOW
        return within and began != self.before


@dataclass(frozen=True, slots=True)
class Started:
    """A task that runs for us.

    :param found: whether its start was not answered, and it was found afterwards.
    """

    once_task_id: str
    found: bool = False


def look_before(service: Service, request: Call, *, deadline: float | None) -> Conversation[Window]:
    """Read what is there before a start.

    :param request: the GenerateOnceTask call to come.
    """
    before = None
    try:
        payload = yield from _patiently(service, _last(request), deadline)
        before = _began(payload)
    except (PermissionDeniedError, InvalidRequestError) as error:
        log.warning(
            "What ran before cannot be read, so a start that gets no answer could not be found again. %s", error
        )
    return Window(server_time(service), before)


def start(service: Service, request: Call, window: Window, *, deadline: float | None) -> Conversation[Started]:
    """Start a task; if it is open whether that arrived, look for it, and start once more only if there is none.

    :param request: the GenerateOnceTask call.
    :raises ConflictError: if the service cannot start it now.
    :raises OutcomeUnknownError: if the service's answers cannot tell whether it was started.
    """
    doubt: SecurityCenterError | None = None
    while True:
        try:
            payload = yield from _patiently(service, request, deadline)
            return Started(started_id(payload))
        except (OutcomeUnknownError, ProtocolError) as error:
            log.warning("The start got no clear answer; looking for the scan. %s", error)
            found = yield from find(service, request, window, deadline=deadline)
            if found:
                return found
            if doubt:
                raise
            doubt = error
        except ConflictError:
            # After a start that was not answered, what stands in the way may be our own.
            found = (yield from find(service, request, window, deadline=deadline)) if doubt else None
            if found:
                return found
            raise


def find(service: Service, request: Call, window: Window, *, deadline: float | None) -> Conversation[Started | None]:
    """Look for a task of the same type and name that began in the window.

    :return: ``None`` if the service's answers say that there is none.
    :raises OutcomeUnknownError: if they cannot tell.
    """
    try:
        return (yield from _find(service, request, window, deadline))
    except OutcomeUnknownError:
        raise
    except SecurityCenterError as error:
        raise _unclear(request, f"the service could not be asked: {error}", error.request_id) from error


def _find(service: Service, request: Call, window: Window, deadline: float | None) -> Conversation[Started | None]:
    unclear: str | None = None
    for pause in LOOKS:
        if pause:
            yield Sleep(pause)
        payload = yield from _patiently(service, _last(request), deadline)
        began_in_it = window.holds(_began(payload))
        unclear = None
        if began_in_it is False:
            continue
        ids = yield from _candidates(service, request, window, payload if began_in_it else {}, deadline)
        if len(ids) == 1:
            return Started(ids[0], found=True)
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


def _patiently(service: Service, call: Call, deadline: float | None) -> Conversation[dict[str, Any]]:
    """Make a call, and make it again while the service is down or throttles, until the deadline."""
    told = False
    while True:
        try:
            return (yield from exchange(service, call, deadline=deadline))
        except SecurityCenterError as error:
            late = deadline is None or service.clock.monotonic() + PAUSE >= deadline
            if late or not error.transient:
                raise
            log.log(logging.DEBUG if told else logging.WARNING, "Security Center cannot be asked; trying on. %s", error)
            told = True
        yield Sleep(PAUSE)


def running_id(service: Service, request: Call, *, deadline: float | None) -> Conversation[str | None]:
    """Return the id of the last task of the same type and name, which stands in the way of a start."""
    payload = yield from _patiently(service, _last(request), deadline)
    began = _began(payload)
    window = Window(began / 1000) if began else Window(0.0)
    ids = yield from _candidates(service, request, window, payload, deadline)
    return ids[0] if len(ids) == 1 else None


def await_vacancy(service: Service, request: Call, *, first_delay: float, deadline: float | None) -> Conversation[bool]:
    """Wait until the last task of the same type and name is over.

    :param first_delay: seconds before the first look, and between two.
    :return: whether it is; ``False`` at the deadline.
    """
    while deadline is None or service.clock.monotonic() + first_delay < deadline:
        yield Sleep(first_delay)
        try:
            payload = yield from exchange(service, _last(request), deadline=deadline)
        except SecurityCenterError as error:
            if not error.transient:
                raise
            log.debug("Asking on whether the other scan is over. %s", error)
            continue
        if OnceTaskResult(payload).phase not in BUSY:
            return True
    return False


def _last(request: Call) -> Call:
    return get_last_once_task_info(once_task_type=request.params["TaskType"], once_task_name=request.params["TaskName"])


def _began(record: Mapping[str, Any], *names: str) -> float | None:
    """When a task began, UNIX epoch milliseconds."""
    for name in names or ("CollectTime",):
        if (time := as_time(record.get(name))) is not None:
            return float(time.timestamp() * 1000)
    return None


def _candidates(
    service: Service, request: Call, window: Window, last: Mapping[str, Any], deadline: float | None
) -> Conversation[list[str]]:
    """Ids of tasks that began in the window, each of which the service knows by that id."""
    ids = [task_id_of(last.get("TaskId"))]
    task_type, since = request.params["TaskType"], int((window.since - SLACK) * 1000)
    others = (
        (
            call("DescribeOnceTask", TaskType=task_type, StartTimeQuery=since, CurrentPage=1, PageSize=50),
            "TaskStartTime",
        ),
        (call("ListUnfinishedOnceTask", TaskType=task_type), "StartTime"),
    )
    for other, time_name in others:
        known = yield from _verified(service, request, ids, deadline)
        if known:
            return known
        try:
            payload = yield from _patiently(service, other, deadline)
        except (PermissionDeniedError, InvalidRequestError) as error:
            log.debug("Not every list can be read for every type. %s", error)
            continue
        ids = [
            task_id_of(record.get("TaskId"))
            for record in _records(payload)
            if record.get("TaskName", request.params["TaskName"]) == request.params["TaskName"]
            and window.holds(_began(record, time_name))
        ]
    return (yield from _verified(service, request, ids, deadline))


def _verified(service: Service, request: Call, ids: list[str], deadline: float | None) -> Conversation[list[str]]:
    known = []
    for once_task_id in dict.fromkeys(filter(None, ids)):
        read = get_once_task_result_info(
            once_task_id=once_task_id,
            once_task_type=request.params["TaskType"],
            once_task_name=request.params["TaskName"],
        )
        try:
            payload = yield from _patiently(service, read, deadline)
        except InvalidRequestError:
            continue
        if OnceTaskResult(payload).phase is not Phase.MISSING:
            known.append(once_task_id)
    return known


def _records(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("TaskManageResponseList", "OnceTasks"):
        found = payload.get(name)
        yield from (record for record in (found if isinstance(found, list) else ()) if isinstance(record, Mapping))
