"""Waiting for a task as a flow: ask, judge, decide when to ask again. It does no I/O itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError, from_dict
from airflow_provider_aegis.client.flows.exchange import Flow, Sleep, exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval, Sample, remember
from airflow_provider_aegis.client.flows.rate_limit import Priority
from airflow_provider_aegis.client.jobs.once_task import OnceTaskResult, Phase
from airflow_provider_aegis.client.protocol.operations import Call

# How long the read after the deadline may take: the task may have ended just before.
LAST_READ_SECONDS = 2.0
DEFAULT_UNKNOWN_GRACE = 300.0

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a wait ended."""

    SUCCESS = "success"
    TIMEOUT = "timeout"
    FAILED = "failed"
    UNKNOWN_TASK = "unknown_task"
    DEADLINE = "deadline"
    ERROR = "error"


# The phases that end a wait. Every other one means: ask again.
ENDINGS = {Phase.SUCCESS: Outcome.SUCCESS, Phase.TIMEOUT: Outcome.TIMEOUT, Phase.FAILED: Outcome.FAILED}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a wait ended, and what was known then.

    :param payload: the last answer, empty where there was none.
    :param error: why the wait was broken off, or what stood in its way last.
    """

    outcome: Outcome
    payload: Mapping[str, Any] = field(default_factory=dict)
    error: SecurityCenterError | ConfigurationError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the ending as plain JSON, with no secret in it."""
        return {
            "outcome": str(self.outcome),
            "payload": dict(self.payload),
            "error": self.error.as_dict() if self.error else None,
        }

    @classmethod
    def from_dict(cls, event: object) -> Ending:
        """Read what :meth:`as_dict` wrote.

        :raises ValueError: if that is not what it is.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"not an ending but {type(event).__name__}")
        payload, error = event.get("payload"), event.get("error")
        if not isinstance(payload, Mapping) or not (error is None or isinstance(error, Mapping)):
            raise ValueError("payload or error is missing or malformed")
        ending = cls(Outcome(str(event.get("outcome"))), payload, from_dict(error) if error else None)
        if ending.outcome is Outcome.ERROR and not ending.error:
            raise ValueError("the outcome is an error, and none is given")
        if ending.outcome is Outcome.SUCCESS and OnceTaskResult(payload).phase is not Phase.SUCCESS:
            raise ValueError("the outcome is success, and the payload does not say so")
        return ending


@dataclass(slots=True)
class Watcher:
    """What one wait remembers from answer to answer.

    :param unknown_grace: seconds for which the service need not know the task.
    :param unknown_since: seconds (of the same clock as ``now``) from which on it did not.
    """

    unknown_grace: float = DEFAULT_UNKNOWN_GRACE
    unknown_since: float | None = None
    unheard: set[str] = field(default_factory=set)
    status: str | None = None
    troubled: bool = False

    def judge(self, payload: Mapping[str, Any], now: float) -> Outcome | None:
        """Say how the task ended, or ``None`` if it has not.

        :param payload: an answer of GetOnceTaskResultInfo.
        :param now: seconds of a clock that does not jump during the wait.
        """
        result = OnceTaskResult(payload)
        self._tell(result)
        if result.phase is not Phase.MISSING:
            self.unknown_since = None
            return ENDINGS.get(result.phase)
        if self.unknown_since is None:
            self.unknown_since = now
        return Outcome.UNKNOWN_TASK if now - self.unknown_since >= self.unknown_grace else None

    def note_trouble(self, error: SecurityCenterError) -> None:
        """Warn of an error that is ridden out, once for each streak of them."""
        if not self.troubled:
            log.warning("Security Center does not answer as it should; asking on. %s", error)
        self.troubled = True

    def _tell(self, result: OnceTaskResult) -> None:
        if self.troubled:
            log.info("Security Center answers again.")
            self.troubled = False
        if result.phase is Phase.UNHEARD and result.status and result.status not in self.unheard:
            self.unheard.add(result.status)
            log.warning("Status %r is not a documented one: taken for running.", result.status)
        if result.status != self.status:
            self.status = result.status
            done = f", {result.progress:.0%} done" if result.progress is not None else ""
            log.info("Status %s%s (RequestId %s)", result.status or "none yet", done, result.request_id or "unknown")


def watch(
    config: ClientConfig,
    call: Call,
    *,
    pace: PollInterval,
    deadline: float | None = None,
    first_delay: float = 0.0,
    watcher: Watcher | None = None,
    retry_all_errors: bool = False,
) -> Flow[Ending]:
    """Wait until a task is over.

    Errors that may pass are ridden out until the deadline. At the deadline the task is read one last time.

    :param call: the read to repeat, GetOnceTaskResultInfo.
    :param deadline: seconds of the service's monotonic clock.
    :param first_delay: seconds before the first read.
    :param retry_all_errors: ride out even errors that asking again cannot change.
    :return: how it ended.
    :raises SecurityCenterError: one that asking again cannot change.
    """
    clock = config.clock
    watcher = watcher or Watcher()
    samples = [Sample(0.0, 0.0)]
    began = clock.monotonic()
    delay, payload, error = first_delay, {}, None
    while True:
        delay = min(delay, config.max_poll_delay)
        last = deadline is not None and clock.monotonic() + delay >= deadline
        if last and deadline is not None:
            delay = max(0.0, deadline - clock.monotonic())
        if delay > 0:
            yield Sleep(delay)
        until = deadline
        if last:
            until = clock.monotonic() + LAST_READ_SECONDS
        try:
            priority = Priority.URGENT if last else Priority.POLL
            payload = yield from exchange(config, call, deadline=until, priority=priority)
        except SecurityCenterError as caught:
            if not (caught.transient or retry_all_errors):
                raise
            watcher.note_trouble(caught)
            error = caught
        else:
            error = None
            if outcome := watcher.judge(payload, clock.monotonic()):
                return Ending(outcome, payload)
            remember(samples, Sample(clock.monotonic() - began, OnceTaskResult(payload).progress))
        if last:
            return Ending(Outcome.DEADLINE, payload, error)
        delay = pace.next_delay(samples, config.rng.random())
