"""Submit a task once, and find it again. It does no I/O itself.

Theory of operation. GenerateOnceTask is not idempotent and takes no token, but it takes ``Source``, a free text by
which GetLastOnceTaskInfo and DescribeOnceTask filter. So every submission gets a ``Source`` of its own
(``new_source``), which the caller stores before the start. When it is open whether a start arrived, the task is
searched:

1. By its source. GetLastOnceTaskInfo with this ``Source`` names no task: there is none. It names one: either the
   service filters, and the task is ours, or it ignores the filter. A record of DescribeOnceTask that repeats the source
   proves the first; else the same call with a source that nobody ever used proves one or the other.
2. By its time, where the source cannot be used (the user gave one of their own, or the service refuses or ignores it):
   a task of the same type and name that began while the start may have arrived. Somebody else may have started that
   one, so it is waited for but is not ours, and never cancelled.

That the live service takes any ``Source`` and filters by it is an assumption; step 2 is what remains without it.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import (
    ConflictError,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProtocolError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.flows.exchange import Flow, Sleep, exchange, server_time
from airflow_provider_aegis.client.flows.find_submitted import (
    NOT_OVER,
    OVER,
    TIME_TOLERANCE_SECONDS,
    Submitted,
    Window,
    began_at,
    find_submitted,
    last_of_kind,
    ref_of,
    retry_all,
)
from airflow_provider_aegis.client.flows.rate_limit import Priority
from airflow_provider_aegis.client.jobs.once_task import OnceTaskResult, cancel_once_task, started_id
from airflow_provider_aegis.client.protocol.operations import Call

SHORTEST_VACANCY_DELAY_SECONDS = 1.0

log = logging.getLogger(__name__)


def snapshot(config: ClientConfig, request: Call, *, deadline: float | None) -> Flow[Window]:
    """Read what is there before a start.

    :param request: the GenerateOnceTask call to come.
    :param deadline: monotonic seconds of the service's clock.
    """
    before = None
    try:
        before = began_at((yield from retry_all(config, last_of_kind(request), deadline)))
    except (PermissionDeniedError, InvalidRequestError) as error:
        log.warning(
            "The last scan of this kind cannot be read, so a start without an answer may not be found. %s", error
        )
    return Window(server_time(config), before)


def submit(config: ClientConfig, request: Call, window: Window, *, deadline: float | None) -> Flow[Submitted]:
    """Start a task; if it is open whether the start arrived, search for it, and start once more only if there is none.

    :param request: the GenerateOnceTask call.
    :param deadline: monotonic seconds of the service's clock.
    :raises ConflictError: if the service cannot start it now.
    :raises OutcomeUnknownError: if the service's answers cannot tell whether it was started.
    """
    warning: SecurityCenterError | None = None
    while True:
        try:
            payload = yield from retry_all(config, request, deadline)
            return Submitted(started_id(payload))
        except (OutcomeUnknownError, ProtocolError) as error:
            log.warning("The start got no clear answer; searching for the scan. %s", error)
            so_far = server_time(config) + TIME_TOLERANCE_SECONDS - window.since
            window = replace(window, seconds=max(window.seconds, so_far))
            found = yield from find_submitted(config, request, window, deadline=deadline)
            if found:
                return found
            if warning:
                raise
            warning = error
        except ConflictError:
            # After a start without an answer, the scan that is in the way may be this one.
            found = (yield from find_submitted(config, request, window, deadline=deadline)) if warning else None
            if found:
                return found
            raise


def find_if_running(
    config: ClientConfig, request: Call, once_task_id: str, window: Window, *, deadline: float
) -> Flow[str | None]:
    """Return the id of the task that this submission started, if it runs.

    :param request: the GenerateOnceTask call.
    :param once_task_id: id of the task; empty to search for it by its source.
    :param deadline: monotonic seconds of the service's clock.
    """
    if not once_task_id:
        found = yield from find_submitted(config, request, window, deadline=deadline)
        if found is None or not found.ours:
            return None
        once_task_id = found.once_task_id
    payload = yield from retry_all(config, ref_of(request, once_task_id).read(), deadline)
    return None if OnceTaskResult(payload).phase in OVER else once_task_id


def cancel_submitted(
    config: ClientConfig, request: Call, once_task_id: str, window: Window, *, deadline: float
) -> Flow[str | None]:
    """Cancel the task that this submission started, unless it is known not to run.

    :return: the id of the cancelled task, ``None`` if there was nothing to cancel.
    """
    now = config.clock.monotonic()
    half = now + (deadline - now) / 2
    try:
        running = yield from find_if_running(config, request, once_task_id, window, deadline=half)
    except SecurityCenterError as error:
        if not once_task_id:
            raise
        log.debug("How the scan stands cannot be read, so it is cancelled in any case. %s", error)
        running = once_task_id
    if running:
        yield from retry_all(config, cancel_once_task(running), deadline)
    return running


def await_vacancy(config: ClientConfig, request: Call, *, first_delay: float, deadline: float | None) -> Flow[bool]:
    """Wait until the last task of the same type and name is over.

    :param first_delay: seconds before the first look, and between two; less as the deadline comes near.
    :param deadline: monotonic seconds of the service's clock.
    :return: whether it is; ``False`` at the deadline.
    """
    while True:
        delay = min(first_delay, config.max_poll_delay)
        if deadline is not None:
            left = deadline - config.clock.monotonic()
            delay = min(delay, max(left / 2, SHORTEST_VACANCY_DELAY_SECONDS))
            if left <= delay:
                yield Sleep(max(0.0, left))
                return False
        yield Sleep(delay)
        try:
            payload = yield from exchange(config, last_of_kind(request), deadline=deadline, priority=Priority.POLL)
        except SecurityCenterError as error:
            if not error.transient:
                raise
            log.debug("Whether the other scan is over cannot be read; retrying. %s", error)
            continue
        if OnceTaskResult(payload).phase not in NOT_OVER:
            return True
