"""The scan of an operator's task: started once, found again by a later try, cancelled only if it is ours.

Theory of operation. A try reads what an earlier try stored (``submission.py``) and decides: start, find, attach or
replace. Before a start the intent is stored with the ``Source`` of the submission, afterwards the id; whatever dies in
between, the next try finds the scan by its source (``client/flows/submit.py``).

Airflow sends SIGTERM when a user ends a task, and for reasons of its own. The handler calls ``on_kill`` in the middle
of whatever the main thread does, which may hold the channel to Airflow, a lock or a connection. So a thread of its own
asks Airflow how the task instance stands and cancels the scan only if the instance was ended; the handler returns, and
the main thread goes on, but starts nothing any more. Airflow sends SIGKILL five seconds after SIGTERM.
"""

from __future__ import annotations

import atexit
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_aegis.client.errors import (
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.flows.exchange import Flow, Reply, Send, exchange, server_time
from airflow_provider_aegis.client.flows.find_submitted import (
    Submitted,
    find_running,
    find_submitted,
    new_source,
    ref_of,
)
from airflow_provider_aegis.client.flows.submit import cancel_submitted, snapshot, submit
from airflow_provider_aegis.client.jobs.once_task import DEFAULT_UNKNOWN_GRACE, OnceTaskResult, Phase, cancel_once_task
from airflow_provider_aegis.client.protocol.operations import Call
from airflow_provider_aegis.exceptions import TaskKilledError
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.submission import (
    Plan,
    Submission,
    SubmissionStore,
    decide,
    fingerprint_of,
    generation_of,
)
from airflow_provider_aegis.operators.task_instance import was_ended

if TYPE_CHECKING:
    from airflow.sdk import Context

T = TypeVar("T")

START = "GenerateOnceTask"
# Within the 5 s that Airflow leaves between SIGTERM and SIGKILL.
CANCEL_SECONDS = 3.5
# How long the signal handler itself waits. Longer would be in vain if the main thread holds the channel to Airflow.
HANDLER_SECONDS = 1.0


log = logging.getLogger(__name__)


class Scan:
    """What a try knows of its scan.

    :param hook: reaches the service.
    :param context: of the running task.
    :param request: the GenerateOnceTask call.
    :param replaces: whether a scan that nobody wants any more is cancelled before another is started.
    :param awaited: whether the task waits for the scan's end.
    """

    def __init__(self, hook: AegisHook, context: Context, request: Call, *, replaces: bool, awaited: bool) -> None:
        self._hook = hook
        self._context = context
        self._request = request
        self._replaces = replaces
        self._awaited = awaited
        self._store = SubmissionStore(context)
        self._mark = (fingerprint_of(request.params, hook.aegis_conn_id, hook.region), generation_of(context))
        self._submission: Submission | None = None
        self._cancels: bool | None = None  # what to do with the scan, once the task was killed

    def obtain(self, until: float) -> Submission:
        """Attach to the scan of an earlier try, or start one.

        :param until: deadline, seconds of the service's monotonic clock.
        :raises ConflictError: if the service cannot start one now.
        :raises OutcomeUnknownError: if it cannot be told whether one was started.
        :raises TaskKilledError: if the task was killed before one was started.
        """
        submission = self._attach(until)
        if submission is None:
            self._submission = None
            submission = self._start(until)
        return submission

    def adopt(self, conflict: ConflictError, until: float) -> Submission | None:
        """Wait for the scan that is in the way, as one that is not ours; ``None`` if none of its kind runs."""
        once_task_id = self.run(find_running(self._hook.config, self._request, deadline=until))
        if once_task_id is None:
            log.info("No scan of this kind runs that could be adopted. %s", conflict)
            return None
        log.warning("Scan %s is not ours and is adopted: it is watched, and never cancelled.", once_task_id)
        self._submission = replace(self._intent(""), once_task_id=once_task_id, ours=False)
        self._store.write(self._submission)
        return self._submission

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of the client, unless the task is killed meanwhile.

        :raises TaskKilledError: before the next request or pause after that.
        """
        return self._hook.run_flow(self._until_killed(flow))

    def was_ended(self) -> bool:
        """Whether the task instance was ended, as far as Airflow says so."""
        return self._store.remembers and was_ended(self._context)

    def kill(self, *, cancel: bool, timed_out: bool = False) -> None:
        """Start nothing any more, and cancel the scan if this task started it and was ended itself.

        :param cancel: whether the scan is cancelled at all.
        :param timed_out: whether ``execution_timeout`` passed, so that a later try starts another scan.
        """
        self._cancels = cancel
        thread = threading.Thread(target=self._end, args=(timed_out,), name="aegis-cancel", daemon=True)
        thread.start()
        atexit.register(thread.join, CANCEL_SECONDS + HANDLER_SECONDS)  # the main thread may be about to exit
        thread.join(HANDLER_SECONDS if self._store.remembers and not timed_out else CANCEL_SECONDS)

    def _until_killed(self, flow: Flow[T]) -> Flow[T]:
        reply: Reply = None
        starts = 0
        try:
            while True:
                command = flow.send(reply)
                if self._cancels is not None:
                    raise TaskKilledError("The task was told to stop, so it starts no scan.")
                if isinstance(command, Send) and command.signature and command.signature.action == START:
                    starts += 1
                    if starts > 1 and self._submission:
                        # Airflow refuses this if another process has taken the task over since.
                        self._store.write(self._submission)
                reply = yield command
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    def _end(self, timed_out: bool = False) -> None:
        if not self._cancels:
            return
        # Where nothing is remembered, a later try starts another scan in any case.
        if self._store.remembers and not timed_out and not self.was_ended():
            log.info("This process was told to stop, but its task was not ended: the scan is left to the next try.")
            return
        submission = self._submission
        if submission and submission.ours:
            with self._hook.sibling() as hook:
                if submission.once_task_id:
                    cancelled = cancel(hook, submission.once_task_id)
                else:
                    request = self._request_of(submission.source)
                    cancelled = cancel_if_it_runs(hook, request, submission, seconds=CANCEL_SECONDS)
            if timed_out:
                self._store.conclude(succeeded=False, runs_on=not cancelled)

    def _attach(self, until: float) -> Submission | None:
        stored = self._store.read()
        match decide(stored, *self._mark), stored:
            case Plan.ATTACH, Submission():
                self._submission = stored
                return stored if self._is_of_use(stored, until) else None
            case Plan.FIND, Submission():
                log.info("An earlier try may have started a scan; searching for it.")
                self._submission = stored
                request = self._request_of(stored.source)
                found = self.run(find_submitted(self._hook.config, request, stored.window, deadline=until))
                kept = self._keep(stored, found) if found else None
                return kept if kept and self._is_of_use(kept, until) else None
            case Plan.REPLACE, Submission() if self._replaces:
                log.info("The task was cleared or its arguments changed: the scan of the earlier try is cancelled.")
                self._submission = stored
                left = until - self._hook.config.clock.monotonic()
                cancel_if_it_runs(self._hook, self._request_of(stored.source), stored, seconds=left)
        return None

    def _is_of_use(self, stored: Submission, until: float) -> bool:
        """Whether the scan of an earlier try runs or succeeded."""
        try:
            read = ref_of(self._request, stored.once_task_id).read()
            payload = self.run(exchange(self._hook.config, read, deadline=until))
        except SecurityCenterError as error:
            if not error.transient:
                raise
            log.warning("How the scan of an earlier try stands cannot be read yet; waiting for it. %s", error)
            return True
        result = OnceTaskResult(payload)
        young = server_time(self._hook.config) - stored.since < DEFAULT_UNKNOWN_GRACE
        over = result.phase in (Phase.FAILED, Phase.TIMEOUT) or (result.phase is Phase.MISSING and not young)
        log.info(
            "Scan %s of an earlier try has status %s; %s.",
            stored.once_task_id,
            result.status or "none",
            "starting another" if over else "picking it up again",
        )
        return not over

    def _start(self, until: float) -> Submission:
        window = self.run(snapshot(self._hook.config, self._request, deadline=until))
        source = "" if self._request.params.get("Source") else new_source()
        intent = replace(self._intent(source), since=window.since, before=window.before)
        try:
            return self._submit(intent, until)
        except InvalidRequestError as error:
            if not source:
                raise
            log.warning("The start was refused; trying without a Source of its own, in case that is why. %s", error)
            return self._submit(replace(intent, source=""), until)

    def _submit(self, intent: Submission, until: float) -> Submission:
        self._store.write(intent)
        self._submission = intent
        request = self._request_of(intent.source)
        try:
            flow = submit(self._hook.config, request, intent.window, deadline=until)
            submitted = self.run(flow)
        except SecurityCenterError as error:
            if error.refused:  # else a scan may run after all, and a later try searches for it
                self._store.delete()
                self._submission = None
            raise
        return self._keep(intent, submitted)

    def _keep(self, intent: Submission, submitted: Submitted) -> Submission:
        submission = replace(intent, once_task_id=submitted.once_task_id, ours=submitted.ours)
        self._submission = submission
        how = "was found again: its start had got no answer" if submitted.found else "is started"
        log.info("Scan %s %s.", submitted.once_task_id, how)
        if not submitted.ours:
            log.warning("Scan %s may be somebody else's: it is watched, and never cancelled.", submitted.once_task_id)
        try:
            self._store.write(submission)
        finally:
            self._end()  # the signal may have come while the start was under way
        return submission

    def _intent(self, source: str) -> Submission:
        params = self._request.params
        return Submission(
            *self._mark,
            source=source,
            awaited=self._awaited,
            once_task_type=params["TaskType"],
            once_task_name=params["TaskName"],
            aegis_conn_id=self._hook.aegis_conn_id,
            region=self._hook.region,
        )

    def _request_of(self, source: str) -> Call:
        """The GenerateOnceTask call with the source of its submission."""
        return Call(self._request.operation, {**self._request.params, "Source": source}) if source else self._request


def cancel(hook: AegisHook, once_task_id: str, *, seconds: float = CANCEL_SECONDS) -> bool:
    """Cancel a scan that runs, as well as it goes: what goes wrong is logged, and nothing is raised.

    :param seconds: for the call, with all its attempts.
    :return: whether it is cancelled.
    """
    try:
        until = hook.config.clock.monotonic() + seconds
        hook.run_flow(exchange(hook.config, cancel_once_task(once_task_id), deadline=until))
    except (SecurityCenterError, ConfigurationError) as error:
        log.warning("Scan %s could not be cancelled and may run on: %s", once_task_id, error)
        return False
    log.info("Scan %s is cancelled.", once_task_id)
    return True


def cancel_if_it_runs(hook: AegisHook, request: Call, submission: Submission, *, seconds: float) -> bool:
    """Cancel the scan of a submission if it runs, as well as it goes: what goes wrong is logged, and nothing is raised.

    :param request: the GenerateOnceTask call, by whose source a scan is found of which no id is stored.
    :param seconds: for all calls.
    :return: whether it does not run any more.
    """
    name = submission.once_task_id or f"with the source {submission.source}"
    try:
        until = hook.config.clock.monotonic() + seconds
        flow = cancel_submitted(hook.config, request, submission.once_task_id, submission.window, deadline=until)
        cancelled = hook.run_flow(flow)
    except (SecurityCenterError, ConfigurationError) as error:
        log.warning("Scan %s could not be cancelled and may run on: %s", name, error)
        return False
    log.info("Scan %s is cancelled." if cancelled else "Scan %s does not run any more.", cancelled or name)
    return True
