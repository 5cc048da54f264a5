"""Triggers for one-time tasks: they wait in the triggerer, so that no worker has to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import Flow, Patience, exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.submit import await_vacancy
from airflow_provider_aegis.client.flows.wait import Ending, Outcome, wait
from airflow_provider_aegis.client.jobs.once_task import (
    DEFAULT_UNKNOWN_GRACE,
    OnceTaskJudge,
    OnceTaskRef,
)
from airflow_provider_aegis.client.protocol.validation import as_seconds, plain_seconds
from airflow_provider_aegis.triggers.base import AegisTrigger

# Airflow 3.3.2 can mark a deferral failed that returns within about 5 s of the worker's exit (4 of 27 runs of 3 s).
FIRST_POLL_DELAY = 10.0
KILL_SECONDS = 10.0
# What Airflow 3.3 gives the CancelledError of a trigger whose task a user has ended.
ENDED_BY_USER = "__airflow_user_action__"

log = logging.getLogger(__name__)


def first_delay(given: float | timedelta | None, poll_interval: float) -> float:
    """Return the seconds from deferring to the first read: short waits do not pay for a race that long ones avoid.

    :param given: as the user gave it; ``None`` for the default.
    :param poll_interval: seconds.
    :raises ConfigurationError: if it is not a span of time.
    """
    if given is None:
        return min(FIRST_POLL_DELAY, poll_interval)
    return as_seconds("first_poll_delay", given, zero=True)


class AegisOnceTaskTrigger(AegisTrigger):
    """Waits until a scan is over, or its deadline has passed, and fires one event that says how it ended.

    The event is what :meth:`airflow_provider_aegis.client.flows.wait.Ending.as_dict` gives, with ``once_task_id`` and
    ``ours``. A shutdown or a restart of the triggerer cancels nothing; only a user who ends the deferred task does
    (Airflow 3.3 and later).

    :param once_task_id: id of the scan.
    :param once_task_type: kind of scan.
    :param once_task_name: the type where it is not given.
    :param aegis_conn_id: id of the connection.
    :param region: wins over the connection's region.
    :param poll_interval: seconds, or a timedelta, between two reads at the least.
    :param max_poll_interval: seconds, or a timedelta, between two reads at the most.
    :param first_poll_delay: seconds, or a timedelta, before the first read.
    :param unknown_task_grace: seconds, or a timedelta, for which Security Center need not know the scan.
    :param deadline: UNIX epoch seconds after which the wait is over.
    :param ours: whether the task started the scan; no other one is ever cancelled.
    :param cancel_on_kill: whether the scan is cancelled when a user ends the task.
    :param retry_all_errors: whether even errors that asking again cannot change are retried.
    """

    def __init__(
        self,
        *,
        once_task_id: str,
        once_task_type: str,
        once_task_name: str | None = None,
        aegis_conn_id: str,
        region: str | None = None,
        poll_interval: float | timedelta = 30.0,
        max_poll_interval: float | timedelta = 300.0,
        first_poll_delay: float | timedelta = FIRST_POLL_DELAY,
        unknown_task_grace: float | timedelta = DEFAULT_UNKNOWN_GRACE,
        deadline: float | None = None,
        ours: bool = False,
        cancel_on_kill: bool = False,
        retry_all_errors: bool = False,
    ) -> None:
        super().__init__()
        self.once_task_id = once_task_id
        self.once_task_type = once_task_type
        self.once_task_name = once_task_name
        self.aegis_conn_id = aegis_conn_id
        self.region = region
        self.poll_interval = plain_seconds(poll_interval)
        self.max_poll_interval = plain_seconds(max_poll_interval)
        self.first_poll_delay = plain_seconds(first_poll_delay)
        self.unknown_task_grace = plain_seconds(unknown_task_grace)
        self.deadline = deadline
        self.ours = ours
        self.cancel_on_kill = cancel_on_kill
        self.retry_all_errors = retry_all_errors
        self._ended_by_user = False

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        try:
            ending = await self.run_flow(self._wait)
        except asyncio.CancelledError as error:
            self._ended_by_user = error.args[:1] == (ENDED_BY_USER,)
            raise
        except (SecurityCenterError, ConfigurationError) as error:
            log.warning("The wait ends with an error. %s", error)
            ending = Ending(Outcome.ERROR, error=error)
        event = {**ending.as_dict(), "once_task_id": self.once_task_id, "ours": self.ours}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Cancel the scan after a user ended the task, if the task had started it."""
        self._ended_by_user = False
        if not (self.ours and self.cancel_on_kill):
            return
        # Airflow 3.3.2 cancels this again every second until the trigger has ended.
        work = asyncio.create_task(self._cancel_scan())
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(work)

    async def cleanup(self) -> None:
        """Do what `on_kill` does, if a user ended the task and Airflow did not call it.

        Airflow 3.3.2 cancels a trigger anew every second. If that meets it before it has called `on_kill`, which it
        does when it is busy, it never does so.
        """
        if self._ended_by_user:
            await self.on_kill()

    async def _cancel_scan(self) -> None:
        try:
            await asyncio.wait_for(self.run_flow(self._cancel), KILL_SECONDS)
        except (SecurityCenterError, ConfigurationError, TimeoutError) as error:
            why = str(error) or f"no answer within {KILL_SECONDS:g} s"
            log.warning("Scan %s could not be cancelled and may run on: %s", self.once_task_id, why)
        else:
            log.info("Scan %s is cancelled, since a user ended its task.", self.once_task_id)

    @property
    def _ref(self) -> OnceTaskRef:
        return OnceTaskRef(
            once_task_type=self.once_task_type, once_task_name=self.once_task_name, once_task_id=self.once_task_id
        )

    def _wait(self, config: ClientConfig) -> Flow[Ending]:
        return wait(
            config,
            self._ref.read(),
            judge=OnceTaskJudge(as_seconds("unknown_task_grace", self.unknown_task_grace, zero=True)),
            poll_interval=PollInterval(
                as_seconds("poll_interval", self.poll_interval), as_seconds("max_poll_interval", self.max_poll_interval)
            ),
            deadline=self.monotonic_deadline(config),
            first_delay=as_seconds("first_poll_delay", self.first_poll_delay, zero=True),
            patience=Patience.EVERY_ERROR if self.retry_all_errors else Patience.DEADLINE,
        )

    def _cancel(self, config: ClientConfig) -> Flow[dict[str, Any]]:
        until = config.clock.monotonic() + KILL_SECONDS
        return exchange(config, self._ref.cancel(), deadline=until)


class AegisVacancyTrigger(AegisTrigger):
    """Waits until the scan that prevents a start is over, and fires one event.

    The event has ``outcome`` (``vacant``, ``deadline`` or ``error``), ``error``, and gives back ``deadline`` and
    ``waits``.

    :param once_task_type: kind of scan.
    :param once_task_name: the type where it is not given.
    :param aegis_conn_id: id of the connection.
    :param region: wins over the connection's region.
    :param delay: seconds, or a timedelta, between two looks.
    :param deadline: UNIX epoch seconds after which the wait is over.
    :param waits: how often the task has waited before.
    """

    def __init__(
        self,
        *,
        once_task_type: str,
        once_task_name: str | None = None,
        aegis_conn_id: str,
        region: str | None = None,
        delay: float | timedelta = 30.0,
        deadline: float | None = None,
        waits: int = 0,
    ) -> None:
        super().__init__()
        self.once_task_type = once_task_type
        self.once_task_name = once_task_name
        self.aegis_conn_id = aegis_conn_id
        self.region = region
        self.delay = plain_seconds(delay)
        self.deadline = deadline
        self.waits = waits

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        outcome, failure = "error", None
        try:
            outcome = "vacant" if await self.run_flow(self._await_vacancy) else "deadline"
        except (SecurityCenterError, ConfigurationError) as error:
            failure = error.as_dict()
        event = {"outcome": outcome, "error": failure, "deadline": self.deadline, "waits": self.waits}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    def _await_vacancy(self, config: ClientConfig) -> Flow[bool]:
        kind = OnceTaskRef(once_task_type=self.once_task_type, once_task_name=self.once_task_name)
        delay, deadline = as_seconds("delay", self.delay), self.monotonic_deadline(config)
        return await_vacancy(config, kind, first_delay=delay, deadline=deadline)
