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
from airflow_provider_aegis.client.flows.exchange import Flow, Patience, Sleep, exchange, server_time
from airflow_provider_aegis.client.flows.find_submitted import (
    NOT_OVER,
    OVER,
    SUBMIT_WINDOW_SECONDS,
    TIME_TOLERANCE_SECONDS,
    S,
    Submission,
    began_at,
    find_submitted,
)
from airflow_provider_aegis.client.flows.rate_limit import Priority
from airflow_provider_aegis.client.jobs.once_task import OnceTask, OnceTaskRef, OnceTaskResult

SHORTEST_VACANCY_DELAY_SECONDS = 1.0

log = logging.getLogger(__name__)


def snapshot(config: ClientConfig, submission: S, *, deadline: float | None) -> Flow[S]:
    """Read what is there before a start, and note it in the submission.

    :param deadline: monotonic seconds of the service's clock.
    """
    before = None
    try:
        before = began_at(
            (yield from exchange(config, submission.ref.read_last(), deadline=deadline, patience=Patience.DEADLINE))
        )
    except (PermissionDeniedError, InvalidRequestError) as error:
        log.warning(
            "The last scan of this kind cannot be read, so a start without an answer may not be found. %s", error
        )
    return replace(submission, since=server_time(config), before=before)


def submit(config: ClientConfig, job: OnceTask, submission: S, *, deadline: float | None) -> Flow[S]:
    """Start a task; if it is open whether the start arrived, search for it, and start once more only if there is none.

    :param job: the task to start; its source gives way to the submission's own.
    :param submission: by what it is found again.
    :param deadline: monotonic seconds of the service's clock.
    :return: the submission with the id of its task.
    :raises ConflictError: if the service cannot start it now.
    :raises OutcomeUnknownError: if the service's answers cannot tell whether it was started.
    """
    start = replace(job, source=submission.source or job.source).submit()
    lost = False
    seconds = SUBMIT_WINDOW_SECONDS
    while True:
        try:
            started = job.ref((yield from exchange(config, start, deadline=deadline, patience=Patience.DEADLINE)))
        except (OutcomeUnknownError, ProtocolError) as error:
            log.warning("The start got no clear answer; searching for the scan. %s", error)
            seconds = max(seconds, server_time(config) + TIME_TOLERANCE_SECONDS - submission.since)
            found = yield from find_submitted(config, submission, deadline=deadline, seconds=seconds)
            if found:
                return found
            if lost:
                raise
            lost = True
        except ConflictError:
            # After a start without an answer, the scan that is in the way may be this one.
            if lost and (found := (yield from find_submitted(config, submission, deadline=deadline, seconds=seconds))):
                return found
            raise
        else:
            log.info("Scan %s is started.", started.once_task_id)
            return replace(submission, once_task_id=started.once_task_id, ours=True)


def find_if_running(config: ClientConfig, submission: Submission, *, deadline: float) -> Flow[OnceTaskRef | None]:
    """Return the task that this submission started, if it runs.

    :param submission: without the id of its task, the task is searched.
    :param deadline: monotonic seconds of the service's clock.
    """
    if not submission.once_task_id:
        found = yield from find_submitted(config, submission, deadline=deadline)
        if found is None or not found.ours:
            return None
        submission = found
    payload = yield from exchange(config, submission.ref.read(), deadline=deadline, patience=Patience.DEADLINE)
    return None if OnceTaskResult(payload).phase in OVER else submission.ref


def cancel_submitted(config: ClientConfig, submission: Submission, *, deadline: float) -> Flow[OnceTaskRef | None]:
    """Cancel the task that this submission started, unless it is known not to run.

    :return: the task that was cancelled, ``None`` if there was nothing to cancel.
    """
    now = config.clock.monotonic()
    half = now + (deadline - now) / 2
    try:
        running = yield from find_if_running(config, submission, deadline=half)
    except SecurityCenterError as error:
        if not submission.once_task_id:
            raise
        log.debug("How the scan stands cannot be read, so it is cancelled in any case. %s", error)
        running = submission.ref
    if running:
        yield from exchange(config, running.cancel(), deadline=deadline, patience=Patience.DEADLINE)
    return running


def await_vacancy(config: ClientConfig, task: OnceTaskRef, *, first_delay: float, deadline: float | None) -> Flow[bool]:
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
            payload = yield from exchange(config, task.read_last(), deadline=deadline, priority=Priority.POLL)
        except SecurityCenterError as error:
            if not Patience.DEADLINE.outlasts(error):
                raise
            log.debug("Whether the other scan is over cannot be read; retrying. %s", error)
            continue
        if OnceTaskResult(payload).phase not in NOT_OVER:
            return True
