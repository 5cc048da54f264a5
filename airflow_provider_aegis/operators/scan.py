"""The scan of an operator's task: started once, found again by a later try, cancelled only if it is ours."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_aegis.client.errors import ConfigurationError, ConflictError, SecurityCenterError
from airflow_provider_aegis.client.exchange import exchange, server_time
from airflow_provider_aegis.client.once_task import (
    OnceTaskResult,
    Phase,
    cancel_once_task,
    get_once_task_result_info,
)
from airflow_provider_aegis.client.operations import Call
from airflow_provider_aegis.client.start import Started, find, look_before, running_id, start
from airflow_provider_aegis.client.watch import DEFAULT_UNKNOWN_GRACE
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.submission import (
    Notebook,
    Plan,
    Submission,
    decide,
    fingerprint_of,
    generation_of,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

CANCEL_SECONDS = 8.0

log = logging.getLogger(__name__)


class Scan:
    """What a try knows of its scan.

    :param hook: reaches the service.
    :param context: of the running task.
    :param request: the GenerateOnceTask call.
    :param replaces: whether a scan that nobody wants any more is cancelled before another is started.
    """

    def __init__(self, hook: AegisHook, context: Context, request: Call, *, replaces: bool) -> None:
        self._hook = hook
        self._request = request
        self._replaces = replaces
        self._notebook = Notebook(context)
        self._mark = (
            fingerprint_of(request.params, hook.aegis_conn_id, hook.region),
            generation_of(context),
        )
        self._submission: Submission | None = None
        self._killed = False

    def obtain(self, until: float) -> Submission:
        """Attach to the scan of an earlier try, or start one.

        :param until: deadline, seconds of the service's monotonic clock.
        :raises ConflictError: if the service cannot start one now.
        :raises OutcomeUnknownError: if it cannot be told whether one was started.
        """
        self._submission = self._attach(until) or self._start(until)
        if self._killed:  # the signal came while the start was under way
            self.kill()
        return self._submission

    def adopt(self, conflict: ConflictError, until: float) -> Submission | None:
        """Take the scan that stands in the way for ours to watch; ``None`` if there is none of its kind."""
        once_task_id = self._hook.perform(running_id(self._hook.service, self._request, deadline=until))
        if once_task_id is None:
            log.info("There is no scan of this kind to adopt. %s", conflict)
            return None
        log.warning("Scan %s is not ours and is adopted: it is watched, and never cancelled.", once_task_id)
        self._submission = Submission(*self._mark, once_task_id=once_task_id, ours=False)
        self._notebook.write(self._submission)
        return self._submission

    def kill(self) -> None:
        """Cancel the scan, if this task started it."""
        self._killed = True
        if self._submission and self._submission.ours:
            # In a signal handler: the hook's own connection may be in the middle of a request.
            with self._hook.sibling() as hook:
                cancel(hook, self._submission.once_task_id)

    def _attach(self, until: float) -> Submission | None:
        stored = self._notebook.read()
        match decide(stored, *self._mark), stored:
            case Plan.ATTACH, Submission():
                return stored if self._is_of_use(stored, until) else None
            case Plan.FIND, Submission():
                log.info("An earlier try may have started a scan; looking for it.")
                found = self._hook.perform(find(self._hook.service, self._request, stored.window, deadline=until))
                return self._keep(stored, found) if found else None
            case Plan.REPLACE, Submission() if self._replaces:
                log.info("The task was cleared or its arguments changed: the scan of the earlier try is cancelled.")
                cancel(self._hook, stored.once_task_id)
        return None

    def _is_of_use(self, stored: Submission, until: float) -> bool:
        """Whether the scan of an earlier try runs or succeeded."""
        read = get_once_task_result_info(
            once_task_id=stored.once_task_id,
            once_task_type=self._request.params["TaskType"],
            once_task_name=self._request.params["TaskName"],
        )
        try:
            payload = self._hook.perform(exchange(self._hook.service, read, deadline=until))
        except SecurityCenterError as error:
            if not error.transient:
                raise
            log.warning("How the scan of an earlier try stands cannot be read yet; waiting for it. %s", error)
            return True
        result = OnceTaskResult(payload)
        young = server_time(self._hook.service) - stored.since < DEFAULT_UNKNOWN_GRACE
        over = result.phase in (Phase.FAILED, Phase.TIMEOUT) or (result.phase is Phase.MISSING and not young)
        log.info(
            "Scan %s of an earlier try has status %s; %s.",
            stored.once_task_id,
            result.status or "none",
            "starting another" if over else "picking it up again",
        )
        return not over

    def _start(self, until: float) -> Submission:
        service = self._hook.service
        window = self._hook.perform(look_before(service, self._request, deadline=until))
        intent = Submission(*self._mark, since=window.since, before=window.before)
        self._notebook.write(intent)
        try:
            started = self._hook.perform(start(service, self._request, window, deadline=until))
        except SecurityCenterError as error:
            if error.refused:  # else a scan may run after all, and a later try looks for it
                self._notebook.tear_out()
            raise
        return self._keep(intent, started)

    def _keep(self, intent: Submission, started: Started) -> Submission:
        submission = replace(intent, once_task_id=started.once_task_id)
        self._submission = submission
        self._notebook.write(submission)
        how = "was found again: its start had got no answer" if started.found else "is started"
        log.info("Scan %s %s.", started.once_task_id, how)
        return submission


def cancel(hook: AegisHook, once_task_id: str) -> None:
    """Cancel a scan as well as it goes: what goes wrong is logged, and nothing is raised."""
    try:
        until = hook.service.clock.monotonic() + CANCEL_SECONDS
        hook.perform(exchange(hook.service, cancel_once_task(once_task_id), deadline=until))
    except (SecurityCenterError, ConfigurationError) as error:
        log.warning("Scan %s could not be cancelled and may run on: %s", once_task_id, error)
    else:
        log.info("Scan %s is cancelled.", once_task_id)
