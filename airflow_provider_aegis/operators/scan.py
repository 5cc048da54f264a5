"""The scan of an operator's task: started once, found again by a later try, cancelled only if it is ours.

Theory of operation. A try reads what an earlier try stored (``submission.py``) and decides: start, find, attach or
replace. Before a start the intent is stored with the ``Source`` of the submission, afterwards the id; whatever dies in
between, the next try finds the scan by its source (``client/flows/submit.py``). ``submission_store.py`` alone talks to
Airflow's store.

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
from airflow_provider_aegis.client.flows.find_submitted import Submission, find_running, find_submitted, new_source
from airflow_provider_aegis.client.flows.submit import cancel_submitted, snapshot, submit
from airflow_provider_aegis.client.jobs.once_task import (
    DEFAULT_UNKNOWN_GRACE,
    OnceTask,
    OnceTaskRef,
    OnceTaskResult,
    Phase,
)
from airflow_provider_aegis.exceptions import TaskKilledError
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.submission import Plan, TaskSubmission, decide, fingerprint_of
from airflow_provider_aegis.operators.submission_store import SubmissionStore, generation_of
from airflow_provider_aegis.operators.task_instance import was_ended

if TYPE_CHECKING:
    from airflow.sdk import Context

T = TypeVar("T")

START = "GenerateOnceTask"
# Within the 5 s that Airflow leaves between SIGTERM and SIGKILL.
CANCEL_SECONDS = 3.5
# How long the signal handler itself waits. If the main thread holds the channel to Airflow, waiting longer is useless.
HANDLER_SECONDS = 1.0


log = logging.getLogger(__name__)


class Scan:
    """The scan of one try.

    :param hook: reaches the service.
    :param context: of the running task.
    :param job: the scan to start.
    :param awaited: whether the task waits for the scan's end.
    """

    def __init__(self, hook: AegisHook, context: Context, job: OnceTask, *, awaited: bool) -> None:
        self._hook = hook
        self._context = context
        self._store = SubmissionStore(context)
        self._job = job
        params = job.submit().params
        self._wanted = TaskSubmission(
            fingerprint=fingerprint_of(params, hook.aegis_conn_id, hook.region),
            generation=generation_of(context),
            once_task_type=params["TaskType"],
            once_task_name=params["TaskName"],
            awaited=awaited,
            aegis_conn_id=hook.aegis_conn_id,
            region=hook.region,
        )
        self._submission: TaskSubmission | None = None
        self._cancels: bool | None = None  # what to do with the scan, once the task was killed

    def obtain(self, until: float, *, replaces: bool) -> TaskSubmission:
        """Attach to the scan of an earlier try, or start one.

        :param until: deadline, seconds of the service's monotonic clock.
        :param replaces: whether a scan that nobody wants any more is cancelled before another is started.
        :raises ConflictError: if the service cannot start one now.
        :raises OutcomeUnknownError: if it cannot be told whether one was started.
        :raises TaskKilledError: if the task was killed before one was started.
        """
        submission = self._attach(until, replaces)
        if submission is None:
            self._submission = None
            submission = self._start(until)
        return submission

    def adopt(self, conflict: ConflictError, until: float) -> TaskSubmission | None:
        """Return the running scan of the same kind, which is then waited for; ``None`` if there is none."""
        running = self.run(find_running(self._hook.config, self._wanted.ref, deadline=until))
        if running is None:
            log.info("No scan of this kind runs that could be adopted. %s", conflict)
            return None
        log.warning(
            "Scan %s is not ours. It is adopted: the task waits for it, and never cancels it.", running.once_task_id
        )
        self._submission = replace(self._wanted, once_task_id=running.once_task_id, ours=False)
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
                    cancelled = cancel(hook, submission.ref)
                else:
                    cancelled = cancel_if_it_runs(hook, submission, seconds=CANCEL_SECONDS)
            if timed_out:
                self._store.conclude(succeeded=False, runs_on=not cancelled)

    def _attach(self, until: float, replaces: bool) -> TaskSubmission | None:
        stored = self._store.read()
        match decide(stored, self._wanted), stored:
            case Plan.ATTACH, TaskSubmission():
                self._submission = stored
                return stored if self._is_of_use(stored, until) else None
            case Plan.FIND, TaskSubmission():
                log.info("An earlier try may have started a scan; searching for it.")
                self._submission = stored
                found = self.run(find_submitted(self._hook.config, stored, deadline=until))
                kept = self._keep(found) if found else None
                return kept if kept and self._is_of_use(kept, until) else None
            case Plan.REPLACE, TaskSubmission() if replaces:
                log.info("The task was cleared or its arguments changed: the scan of the earlier try is cancelled.")
                self._submission = stored
                cancel_if_it_runs(self._hook, stored, seconds=until - self._hook.config.clock.monotonic())
        return None

    def _is_of_use(self, stored: TaskSubmission, until: float) -> bool:
        """Whether the scan of an earlier try runs or succeeded."""
        try:
            payload = self.run(exchange(self._hook.config, stored.ref.read(), deadline=until))
        except SecurityCenterError as error:
            if not error.transient:
                raise
            log.warning("The scan of an earlier try cannot be read yet; waiting for it. %s", error)
            return True
        result = OnceTaskResult(payload)
        young = server_time(self._hook.config) - stored.since < DEFAULT_UNKNOWN_GRACE
        bad = result.phase in (Phase.FAILED, Phase.TIMEOUT) and not stored.ended  # ended: an earlier try accepted it
        over = bad or (result.phase is Phase.MISSING and not young)
        log.info(
            "Scan %s of an earlier try has status %s; %s.",
            stored.once_task_id,
            result.status or "none",
            "starting another" if over else "picking it up again",
        )
        return not over

    def _start(self, until: float) -> TaskSubmission:
        source = "" if self._job.submit().params["Source"] else new_source()
        intent = self.run(snapshot(self._hook.config, replace(self._wanted, source=source), deadline=until))
        try:
            return self._submit(intent, until)
        except InvalidRequestError as error:
            if not source:
                raise
            log.warning("The start was refused; trying without a Source of its own, in case that is why. %s", error)
            return self._submit(replace(intent, source=""), until)

    def _submit(self, intent: TaskSubmission, until: float) -> TaskSubmission:
        self._store.write(intent)
        self._submission = intent
        try:
            return self._keep(self.run(submit(self._hook.config, self._job, intent, deadline=until)))
        except SecurityCenterError as error:
            if error.refused:  # else a scan may run after all, and a later try searches for it
                self._store.delete()
                self._submission = None
            raise

    def _keep(self, submission: TaskSubmission) -> TaskSubmission:
        """Store the submission of a scan that runs."""
        self._submission = submission
        if not submission.ours:
            log.warning(
                "Scan %s may be somebody else's. The task waits for it, and never cancels it.", submission.once_task_id
            )
        try:
            self._store.write(submission)
        finally:
            self._end()  # the signal may have come while the start was under way
        return submission


def cancel(hook: AegisHook, task: OnceTaskRef, *, seconds: float = CANCEL_SECONDS) -> bool:
    """Cancel a scan. An error is logged, and nothing is raised.

    :param seconds: for the call, with all its attempts.
    :return: whether it is cancelled.
    """
    try:
        until = hook.config.clock.monotonic() + seconds
        hook.run_flow(exchange(hook.config, task.cancel(), deadline=until))
    except (SecurityCenterError, ConfigurationError) as error:
        log.warning("Scan %s could not be cancelled and may run on: %s", task.once_task_id, error)
        return False
    log.info("Scan %s is cancelled.", task.once_task_id)
    return True


def cancel_if_it_runs(hook: AegisHook, submission: Submission, *, seconds: float) -> bool:
    """Cancel the scan of a submission if it runs. An error is logged, and nothing is raised.

    :param submission: without the id of its scan, the scan is searched by its source.
    :param seconds: for all calls.
    :return: whether it does not run any more.
    """
    name = submission.once_task_id or f"with the source {submission.source}"
    try:
        until = hook.config.clock.monotonic() + seconds
        cancelled = hook.run_flow(cancel_submitted(hook.config, submission, deadline=until))
    except (SecurityCenterError, ConfigurationError) as error:
        log.warning("Scan %s could not be cancelled and may run on: %s", name, error)
        return False
    if cancelled:
        log.info("Scan %s is cancelled.", cancelled.once_task_id)
    else:
        log.info("Scan %s does not run any more.", name)
    return True
