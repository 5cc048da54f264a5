"""Operators for one-time tasks."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_aegis.client.errors import ConflictError, from_dict
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.rate_limit import Priority
from airflow_provider_aegis.client.flows.submit import await_vacancy
from airflow_provider_aegis.client.flows.wait import Ending, Outcome, Poller, wait
from airflow_provider_aegis.client.jobs.once_task import (
    DEFAULT_UNKNOWN_GRACE,
    OnceTask,
    OnceTaskJudge,
    OnceTaskRef,
)
from airflow_provider_aegis.client.protocol.validation import as_seconds, check_choice, parse_seconds
from airflow_provider_aegis.compat import AirflowTaskTimeout, BaseOperator, conf
from airflow_provider_aegis.exceptions import (
    MalformedEventError,
    OnceTaskDeadlineError,
    TaskKilledError,
    bad_ending,
    read_event,
)
from airflow_provider_aegis.hooks.connection import CONN_NAME
from airflow_provider_aegis.operators.base import AegisTask
from airflow_provider_aegis.operators.scan import Scan, cancel
from airflow_provider_aegis.operators.submission import TaskSubmission
from airflow_provider_aegis.operators.submission_store import SubmissionStore
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger, AegisVacancyTrigger, first_delay

if TYPE_CHECKING:
    from airflow.sdk import Context

ONCE_TASK_ID = "once_task_id"
ONCE_TASK_ADOPTED = "once_task_adopted"
# For the cancellation after the deadline; Airflow kills no process meanwhile.
DEADLINE_CANCEL_SECONDS = 8.0
OnConflict = Literal["wait", "adopt", "fail"]


class AegisGetOnceTaskResultOperator(AegisTask, BaseOperator):
    """Reads once how a scan stands (API: GetOnceTaskResultInfo) and pushes the payload to XCom.

    :param once_task_id: id that GenerateOnceTask gave (templated).
    :param once_task_type: kind of scan, as ``ASSETS_COLLECTION`` (templated).
    :param once_task_name: the type where it is not given (templated).
    :param aegis_conn_id: id of the connection (templated).
    :param region: wins over the connection's region, as ``cn-hangzhou`` (templated).
    :return: the answer as the API names it (``TaskInfo``, ``FinishCount``, ``TotalCount``, ``CollectTime`` …).
    :raises SecurityCenterError: as the service answers.
    """

    template_fields: Sequence[str] = ("once_task_id", "once_task_type", "once_task_name", "aegis_conn_id", "region")
    ui_color = "#ffe7d1"

    def __init__(
        self,
        *,
        once_task_id: str,
        once_task_type: str,
        once_task_name: str | None = None,
        aegis_conn_id: str = CONN_NAME,
        region: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.once_task_id = once_task_id
        self.once_task_type = once_task_type
        self.once_task_name = once_task_name
        self.aegis_conn_id = aegis_conn_id
        self.region = region

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the scan and return the payload."""
        with self.hook, self.explained(context):
            self.show_console(context)
            payload = self.hook.get_once_task_result_info(
                once_task_id=self.once_task_id, once_task_type=self.once_task_type, once_task_name=self.once_task_name
            )
            self.warn_of_type(self.once_task_type)
            self.show_request(context, payload=payload)
            return payload


class AegisOnceTaskOperator(AegisTask, BaseOperator):
    """Starts a scan (API: GenerateOnceTask), waits until it is over, and pushes its payload to XCom.

    The scan's id is in XCom as ``once_task_id`` before the wait begins. A later try of the same task picks the same
    scan up again instead of starting a second one (Airflow 3.3 and later, which remembers across tries); it starts
    afresh if that scan failed, if the arguments changed, or after a user cleared the task.

    :param once_task_type: kind of scan, as ``ASSETS_COLLECTION``, ``VUL_CHECK_TASK``, ``IMAGE_SCAN`` (templated).
    :param once_task_name: the type where it is not given (templated).
    :param param: options of the scan, a mapping or the text of a JSON object (templated).
    :param source: free text that says where the scan comes from (templated).
    :param aegis_conn_id: id of the connection (templated).
    :param region: wins over the connection's region, as ``cn-hangzhou`` (templated).
    :param wait_for_completion: wait for the end; otherwise the task is done once the scan is started.
    :param deferrable: wait in the triggerer, without a worker.
    :param poll_interval: seconds, or a timedelta, between two reads at the least.
    :param max_poll_interval: seconds, or a timedelta, between two reads at the most, while the progress tells that the
        end is far.
    :param first_poll_delay: seconds, or a timedelta, from deferring to the triggerer's first read; where it is
        not given 10, or ``poll_interval`` if that is shorter.
    :param timeout: how long the task waits in all, seconds or a timedelta (templated); never for ever.
    :param fail_on_timeout: whether a scan that Security Center ends with TIMEOUT fails the task; otherwise the payload
        is pushed, and the DAG can branch on it.
    :param on_conflict: what to do if the service cannot start the scan now, because one of its kind runs, ran a moment
        ago, or ten run in the account. ``wait`` until it can; ``adopt`` the one of its kind, whose id then goes to
        XCom with ``once_task_adopted`` (or wait, if there is none); ``fail``.
    :param cancel_on_kill: cancel the scan if a user ends the task (while deferred: Airflow 3.3 and later).
    :param cancel_on_timeout: cancel the scan if ``timeout`` passes. Only a scan that the task started is cancelled.
    :return: the payload of the last answer, as the API names it; without waiting, the scan's id.
    :raises OnceTaskError: if the scan ended badly or the deadline passed; a retry may answer it with a new scan.
    :raises ConflictError: if it could not be started, with ``on_conflict="fail"``.
    :raises OutcomeUnknownError: if it cannot be told whether it was started.
    :raises SecurityCenterError: for another error that asking again cannot change.
    """

    template_fields: Sequence[str] = (
        "once_task_type",
        "once_task_name",
        "param",
        "source",
        "aegis_conn_id",
        "region",
        "timeout",
    )
    template_fields_renderers = {"param": "json"}
    ui_color = "#ffd9b5"

    # Seldom worth an argument; a subclass can set it.
    unknown_task_grace: float = DEFAULT_UNKNOWN_GRACE

    def __init__(
        self,
        *,
        once_task_type: str,
        once_task_name: str | None = None,
        param: Mapping[str, Any] | str | None = None,
        source: str | None = None,
        aegis_conn_id: str = CONN_NAME,
        region: str | None = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 30.0,
        max_poll_interval: float | timedelta = 300.0,
        first_poll_delay: float | timedelta | None = None,
        timeout: float | timedelta | str = timedelta(hours=12),
        fail_on_timeout: bool = True,
        on_conflict: OnConflict = "wait",
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.once_task_type = once_task_type
        self.once_task_name = once_task_name
        self.param = param
        self.source = source
        self.aegis_conn_id = aegis_conn_id
        self.region = region
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = as_seconds("poll_interval", poll_interval)
        self.max_poll_interval = max(as_seconds("max_poll_interval", max_poll_interval), self.poll_interval)
        self.first_poll_delay = first_delay(first_poll_delay, self.poll_interval)
        self.timeout = timeout if isinstance(timeout, str) else as_seconds("timeout", timeout)
        self.fail_on_timeout = fail_on_timeout
        self.on_conflict = on_conflict
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        check_choice("on_conflict", on_conflict, get_args(OnConflict))
        self._scan: Scan | None = None
        self._timed_out = self._killed = False

    def execute(self, context: Context) -> Any:
        """Start the scan, or pick up the one that an earlier try started, and wait for its end."""
        try:
            return self._execute(context)
        except AirflowTaskTimeout:
            self._timed_out = True  # Airflow calls on_kill next
            raise

    def _execute(self, context: Context) -> Any:
        held = self.execution_timeout.total_seconds() if self.deferrable and self.execution_timeout else math.inf
        deadline = time.time() + min(parse_seconds("timeout", self.timeout), held)
        # An argument that cannot be handed to the triggerer fails here, before a scan runs.
        json.dumps(self._trigger(self._ref(""), deadline, ours=True).serialize())
        return self._begin(context, deadline, waits=0)

    def execute_when_vacant(self, context: Context, event: Any = None) -> Any:
        """Start the scan after waiting for another one."""
        match event:
            case {"outcome": "vacant", "deadline": float(deadline), "waits": int(waits)}:
                return self._begin(context, deadline, waits + 1)
            case {"outcome": "deadline"}:
                raise self._never_started()
            case {"outcome": "error", "error": Mapping() as known}:
                raise from_dict(known)
        raise MalformedEventError(f"The trigger's event cannot be read, so no scan was started: {event!r:.200}")

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """End the task as the trigger's event says."""
        ending = read_event(event)
        once_task_id, ours = event.get("once_task_id"), event.get("ours")
        if not isinstance(once_task_id, str) or not isinstance(ours, bool):
            raise MalformedEventError("The trigger's event does not name its scan.")
        with self.hook:
            return self._conclude(context, ending, self._ref(once_task_id), ours=ours)

    def on_kill(self) -> None:
        """Cancel the scan that this task started if a user ended the task, or ``execution_timeout`` passed."""
        self._killed = True
        if self._scan:
            cancels = self.cancel_on_timeout if self._timed_out else self.cancel_on_kill
            self._scan.kill(cancel=cancels, timed_out=self._timed_out)

    def _begin(self, context: Context, deadline: float, waits: int) -> Any:
        with self.hook, self.explained(context):
            self.show_console(context)
            self._scan = Scan(self.hook, context, self._job, awaited=self.wait_for_completion)
            self.warn_of_type(self.once_task_type)
            if self._killed:
                raise TaskKilledError("The task was told to stop, so it starts no scan.")
            while (submission := self._obtain(deadline, waits)) is None:
                waits += 1
            context["ti"].xcom_push(key=ONCE_TASK_ID, value=submission.once_task_id)
            if not submission.ours:
                context["ti"].xcom_push(key=ONCE_TASK_ADOPTED, value=True)
            if not self.wait_for_completion:
                return submission.once_task_id
            ending = self._await_end(context, submission, deadline)
            return self._conclude(context, ending, submission.ref, ours=submission.ours)

    def _obtain(self, deadline: float, waits: int) -> TaskSubmission | None:
        """Return the scan to wait for; ``None`` after waiting for another one to end."""
        assert self._scan
        until = self._monotonic(deadline)
        try:
            return self._scan.obtain(until, replaces=self.cancel_on_kill)
        except ConflictError as conflict:
            if self.on_conflict == "fail":
                raise
            if self.on_conflict == "adopt" and (adopted := self._scan.adopt(conflict, until)):
                return adopted
            delay = min(self.poll_interval * (waits + 1), self.max_poll_interval)
            self.log.info("The scan cannot be started yet; trying again when it may be possible. %s", conflict)
        if self.deferrable:
            self.defer(trigger=self._vacancy_trigger(delay, deadline, waits), method_name="execute_when_vacant")
        if not self._scan.run(await_vacancy(self.hook.config, self._ref(""), first_delay=delay, deadline=until)):
            raise self._never_started()
        return None

    def _await_end(self, context: Context, submission: TaskSubmission, deadline: float) -> Ending:
        """Return how the scan ended, or defer."""
        config, read = self.hook.config, submission.ref.read()
        until, judge = self._monotonic(deadline), OnceTaskJudge(self.unknown_task_grace)
        if not self.deferrable:
            interval = PollInterval(self.poll_interval, self.max_poll_interval)
            return self.hook.run_flow(wait(config, read, judge=judge, poll_interval=interval, deadline=until))
        poller = Poller(read=read, judge=judge, now=time.time, began=time.time())
        ending = self.hook.run_flow(poller.poll(config, deadline=until, priority=Priority.CALL))
        self.show_request(context, payload=poller.payload)
        if ending:
            return ending
        self._leave_if_ended()
        trigger = self._trigger(submission.ref, deadline, ours=submission.ours)
        self.defer(trigger=trigger, method_name="execute_complete")
        raise AssertionError("defer() does not return")

    def _leave_if_ended(self) -> None:
        """Cancel the scan of a task that a user has just ended: Airflow refuses its deferral, and calls no on_kill."""
        if self._scan and self._scan.was_ended():
            self.on_kill()
            raise TaskKilledError("The task was ended before it could wait in the triggerer.")

    def _conclude(self, context: Context, ending: Ending, task: OnceTaskRef, *, ours: bool) -> dict[str, Any]:
        """Return the payload of a good ending, and raise for every other one."""
        if ending.outcome is Outcome.ERROR and ending.error:
            self.show_request(context, error=ending.error)
            raise ending.error
        self._scan = None  # there is nothing left to cancel
        self.show_request(context, payload=ending.payload, error=ending.error)
        runs_on = False
        if ending.outcome is Outcome.DEADLINE and self.cancel_on_timeout and ours:
            runs_on = not cancel(self.hook, task, seconds=DEADLINE_CANCEL_SECONDS)
        tolerated = ending.outcome is Outcome.TIMEOUT and not self.fail_on_timeout
        succeeded = ending.outcome is Outcome.SUCCESS or tolerated
        SubmissionStore(context).conclude(succeeded=succeeded, runs_on=runs_on)
        if tolerated:
            self.log.warning("The scan ended with TIMEOUT; fail_on_timeout is off, so its payload is pushed.")
        if succeeded:
            return dict(ending.payload)
        raise bad_ending(ending, task)

    @property
    def _job(self) -> OnceTask:
        return OnceTask(
            once_task_type=self.once_task_type, once_task_name=self.once_task_name, param=self.param, source=self.source
        )

    def _ref(self, once_task_id: str) -> OnceTaskRef:
        return OnceTaskRef(
            once_task_type=self.once_task_type, once_task_name=self.once_task_name, once_task_id=once_task_id
        )

    def _trigger(self, task: OnceTaskRef, deadline: float, *, ours: bool) -> AegisOnceTaskTrigger:
        return AegisOnceTaskTrigger(
            once_task_id=task.once_task_id,
            once_task_type=task.once_task_type,
            once_task_name=task.once_task_name,
            aegis_conn_id=self.aegis_conn_id,
            region=self.region,
            poll_interval=self.poll_interval,
            max_poll_interval=self.max_poll_interval,
            first_poll_delay=self.first_poll_delay,
            unknown_task_grace=self.unknown_task_grace,
            deadline=deadline,
            ours=ours,
            cancel_on_kill=self.cancel_on_kill,
        )

    def _vacancy_trigger(self, delay: float, deadline: float, waits: int) -> AegisVacancyTrigger:
        return AegisVacancyTrigger(
            once_task_type=self.once_task_type,
            once_task_name=self.once_task_name,
            aegis_conn_id=self.aegis_conn_id,
            region=self.region,
            delay=max(delay, self.first_poll_delay),
            deadline=deadline,
            waits=waits,
        )

    def _monotonic(self, deadline: float) -> float:
        return self.hook.config.clock.monotonic() + deadline - time.time()

    def _never_started(self) -> OnceTaskDeadlineError:
        return OnceTaskDeadlineError(
            f"Scan {self.once_task_type} was never started: when the deadline passed, Security Center still could not."
        )
