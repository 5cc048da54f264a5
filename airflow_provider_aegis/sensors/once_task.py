"""Sensor for one-time tasks."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow.exceptions import AirflowProviderDeprecationWarning

from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import Patience
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import LAST_READ_SECONDS, Ending, Outcome, Poller
from airflow_provider_aegis.client.jobs.once_task import DEFAULT_UNKNOWN_GRACE, OnceTaskJudge, OnceTaskRef
from airflow_provider_aegis.client.protocol.validation import as_seconds, parse_seconds
from airflow_provider_aegis.compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_aegis.exceptions import bad_ending, read_event
from airflow_provider_aegis.hooks.connection import CONN_NAME
from airflow_provider_aegis.operators.base import AegisTask
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger, first_delay

if TYPE_CHECKING:
    from airflow.sdk import Context

T = TypeVar("T")

UNKNOWN_SINCE = "aegis_unknown_since"


def _renamed(
    old_name: str, old: float | timedelta | None, name: str, value: float | timedelta | None, *, default: float
) -> float:
    """Return an argument in seconds, also if it was given by its old name."""
    if old is not None:
        # Airflow's metaclass stands between the constructor and the DAG.
        warnings.warn(f"{old_name} is deprecated: use {name}.", AirflowProviderDeprecationWarning, stacklevel=4)
        if value is None:
            return as_seconds(old_name, old)
    return default if value is None else as_seconds(name, value)


class AegisOnceTaskSensor(AegisTask, BaseSensorOperator):
    """Waits until a one-time task of Security Center is over (API: GetOnceTaskResultInfo).

    SUCCESS ends it well, with the payload as its XCom. TIMEOUT and FAIL end it for good: no retry can change them, and
    ``soft_fail`` skips. Every other status means that the task runs. Errors that may pass are retried until
    ``timeout``; errors of credentials, permissions and parameters fail at once, and ``soft_fail`` does not hide them.
    All this is the same in poke, reschedule and deferrable mode. The sensor never cancels a scan.

    :param once_task_id: id that GenerateOnceTask gave (templated).
    :param once_task_type: kind of task, as ``ASSETS_COLLECTION`` (templated).
    :param once_task_name: the type where it is not given (templated).
    :param aegis_conn_id: id of the connection (templated).
    :param region: wins over the connection's region, as ``cn-hangzhou`` (templated).
    :param fail_on_timeout: whether TIMEOUT fails; otherwise the payload is pushed, and the DAG can branch on it.
    :param unknown_task_grace: seconds, or a timedelta, for which Security Center need not know the task.
    :param deferrable: wait in the triggerer, without a worker.
    :param first_poll_delay: seconds, or a timedelta, from deferring to the triggerer's first read; where it is
        not given 10, or ``poll_interval`` if that is shorter.
    :param poll_interval: seconds, or a timedelta, between two reads at the least; 60 where it is not given.
    :param max_poll_interval: seconds, or a timedelta, between two reads at the most, while the scan's progress tells
        that its end is far; 300 where it is not given.
    :param timeout: seconds, or a timedelta, from the first read until the wait is over (templated), reschedules
        included; 0 reads once, and Airflow's ``[sensors] default_timeout`` counts where it is not given. A read under
        way is broken off.
    :param poke_interval: deprecated name of ``poll_interval``.
    :param max_wait: deprecated name of ``max_poll_interval``.
    :return: the payload of the last answer, as the API names it (``TaskInfo``, ``FinishCount`` …).
    :raises AirflowFailException: from an :class:`~airflow_provider_aegis.exceptions.OnceTaskError`, for a bad ending.
    :raises AirflowSensorTimeout: when ``timeout`` has passed.
    :raises SecurityCenterError: for an error that asking again cannot change.
    """

    template_fields: Sequence[str] = (
        "once_task_id",
        "once_task_type",
        "once_task_name",
        "aegis_conn_id",
        "region",
        "timeout",
    )
    ui_color = "#ffe7d1"

    def __init__(
        self,
        *,
        once_task_id: str,
        once_task_type: str,
        once_task_name: str | None = None,
        aegis_conn_id: str = CONN_NAME,
        region: str | None = None,
        fail_on_timeout: bool = True,
        unknown_task_grace: float | timedelta = DEFAULT_UNKNOWN_GRACE,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        first_poll_delay: float | timedelta | None = None,
        poll_interval: float | timedelta | None = None,
        max_poll_interval: float | timedelta | None = None,
        timeout: float | timedelta | str | None = None,
        poke_interval: float | timedelta | None = None,
        max_wait: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        minimum = _renamed("poke_interval", poke_interval, "poll_interval", poll_interval, default=60.0)
        maximum = _renamed("max_wait", max_wait, "max_poll_interval", max_poll_interval, default=300.0)
        if timeout is None:
            timeout = conf.getfloat("sensors", "default_timeout", fallback=7 * 86400.0)
        seconds = 0.0 if isinstance(timeout, str) else as_seconds("timeout", timeout, zero=True)
        # Airflow's names of the two intervals.
        super().__init__(poke_interval=minimum, max_wait=maximum, timeout=seconds, **kwargs)
        if isinstance(timeout, str):
            self.timeout: Any = timeout
        self.once_task_id = once_task_id
        self.once_task_type = once_task_type
        self.once_task_name = once_task_name
        self.aegis_conn_id = aegis_conn_id
        self.region = region
        self.fail_on_timeout = fail_on_timeout
        self.unknown_task_grace = as_seconds("unknown_task_grace", unknown_task_grace, zero=True)
        self.deferrable = deferrable
        self.poll_interval, self.max_poll_interval = minimum, max(minimum, maximum)
        self.first_poll_delay = first_delay(first_poll_delay, minimum)
        self._poller: Poller | None = None
        self._at_deadline = False
        self._shown: tuple[str | None, str | None] | None = None

    def execute(self, context: Context) -> Any:
        """Wait until the task is over, in whichever mode."""
        self.timeout = parse_seconds("timeout", self.timeout, zero=True)
        with self.hook:
            if not self.deferrable:
                return super().execute(context)
            if isinstance(first := self._leniently(lambda: self.poke(context)), PokeReturnValue):
                return first.xcom_value
        self.defer(trigger=self._trigger(self._deadline), method_name="execute_complete", timeout=None)
        return None

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """End the task as the trigger's event says."""
        self.timeout = parse_seconds("timeout", self.timeout, zero=True)
        return self._leniently(lambda: self._conclude(context, read_event(event)))

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Read the task once."""
        if self._poller is None:
            self._poller = self._begin(context)
        config = self.hook.config
        # As in the triggerer, the read at the deadline may take a moment longer: the scan may just have ended.
        until = config.clock.monotonic() + max(self._deadline - time.time(), LAST_READ_SECONDS)
        try:
            ending = self.hook.run_flow(self._poller.poll(config, deadline=until))
        except SecurityCenterError as error:
            ending = Ending(Outcome.ERROR, error=error)
        if ending:
            return PokeReturnValue(True, self._conclude(context, ending))
        self._store_memory()
        self._show_change(context, self._poller)
        if self._at_deadline or time.time() >= self._deadline:
            # Airflow would end the wait as well, but its error would not say how the scan stands.
            self._conclude(context, Ending(Outcome.DEADLINE, self._poller.payload, self._poller.error))
        return False

    def _begin(self, context: Context) -> Poller:
        """Start the memory of this wait, or find it again after a reschedule."""
        read = self._ref.read()
        self.warn_of_type(self.once_task_type)
        now = time.time()
        first = self._first_reschedule(context) if self.reschedule else None
        began = first.timestamp() if first else now
        # Airflow counts `execution_timeout` anew after each reschedule, and `timeout` from the first read.
        self._deadline = min(began + self.timeout, now + self._execution_seconds)
        self._judge = OnceTaskJudge(self.unknown_task_grace)
        self._store = cast("Any", context.get("task_state_store") if self.reschedule else None)
        self._stored: float | None = None if self._store is None else self._store.get(UNKNOWN_SINCE)
        if first:
            self._judge.unknown_since = began if self._store is None else self._stored
        self.show_console(context)
        return Poller(
            read=read,
            judge=self._judge,
            now=time.time,
            began=began,
            patience=Patience.EVERY_ERROR if self.silent_fail else Patience.DEADLINE,
        )

    def _first_reschedule(self, context: Context) -> datetime | None:
        """When this wait began, if it was rescheduled since."""
        ti: Any = context["ti"]
        if hasattr(ti, "get_first_reschedule_date"):
            return cast("datetime | None", ti.get_first_reschedule_date(context))
        # Airflow 2 keeps it in the database, where only this function of its sensors looks.
        look = import_module("airflow.sensors.base")._orig_start_date
        first_try = (ti.max_tries or 0) - (self.retries or 0) + 1
        key = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
        return cast("datetime | None", look(**key, try_number=first_try))

    def _store_memory(self) -> None:
        since = self._judge.unknown_since
        if self._store is None or since == self._stored:
            return
        if since is None:
            self._store.delete(UNKNOWN_SINCE)
        else:
            self._store.set(UNKNOWN_SINCE, since)
        self._stored = since

    def _show_change(self, context: Context, poller: Poller) -> None:
        """Put the link to the diagnosis of the last request into the UI if the status or the error changed."""
        shown = self._judge.status, poller.error.code if poller.error else None
        if shown != self._shown:
            self.show_request(context, payload=None if poller.error else poller.payload, error=poller.error)
            self._shown = shown

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        """Poll as often as the trigger does, unless the user asked for Airflow's exponential back-off."""
        if self.exponential_backoff:
            return float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        samples = self._poller.samples if self._poller else []
        interval = PollInterval(self.poll_interval, self.max_poll_interval)
        delay = interval.next_delay(samples, self.hook.config.rng.random())
        # The last read is at the deadline. Airflow 3.3.2 can lose a task that is rescheduled within a moment.
        least = self.poke_interval if self.reschedule else 0.0
        left = self.timeout - run_duration()
        self._at_deadline = left <= delay
        return float(min(delay, max(left, least)))

    @property
    def _ref(self) -> OnceTaskRef:
        return OnceTaskRef(
            once_task_type=self.once_task_type, once_task_name=self.once_task_name, once_task_id=self.once_task_id
        )

    @property
    def _execution_seconds(self) -> float:
        return self.execution_timeout.total_seconds() if self.execution_timeout else math.inf

    def _trigger(self, deadline: float) -> AegisOnceTaskTrigger:
        return AegisOnceTaskTrigger(
            once_task_id=self.once_task_id,
            once_task_type=self.once_task_type,
            once_task_name=self.once_task_name,
            aegis_conn_id=self.aegis_conn_id,
            region=self.region,
            poll_interval=self.poll_interval,
            max_poll_interval=self.max_poll_interval,
            first_poll_delay=self.first_poll_delay,
            unknown_task_grace=self.unknown_task_grace,
            deadline=deadline,
            retry_all_errors=self.silent_fail,
        )

    def _conclude(self, context: Context, ending: Ending) -> dict[str, Any]:
        """Return the payload of a good ending, and raise for every other one."""
        self.show_request(context, payload=ending.payload, error=ending.error)
        if ending.outcome is Outcome.SUCCESS:
            return dict(ending.payload)
        if ending.outcome is Outcome.TIMEOUT and not self.fail_on_timeout:
            self.log.warning("The scan ended with TIMEOUT; fail_on_timeout is off, so its payload is pushed.")
            return dict(ending.payload)
        if ending.outcome is Outcome.ERROR and ending.error:
            raise ending.error
        error = bad_ending(ending, self._ref)
        if ending.outcome is not Outcome.DEADLINE:
            raise AirflowFailException(str(error)) from error
        if self._execution_seconds < self.timeout:
            raise AirflowTaskTimeout(str(error)) from error
        raise AirflowSensorTimeout(str(error)) from error

    def _leniently(self, end: Callable[[], T]) -> T:
        """Do outside of ``BaseSensorOperator.execute`` what it does there with ``soft_fail`` and ``never_fail``."""
        try:
            return end()
        except (AirflowSensorTimeout, AirflowFailException) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except Exception as error:  # whatever it is, as BaseSensorOperator.execute does
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
