"""Wait for a job: read it, judge the answer, decide when to read next. It does no I/O itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError, from_dict
from airflow_provider_aegis.client.flows.exchange import Flow, Patience, Sleep, exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval, Sample, remember
from airflow_provider_aegis.client.flows.rate_limit import Priority
from airflow_provider_aegis.client.jobs.base import Judge
from airflow_provider_aegis.client.jobs.base import Outcome as Outcome
from airflow_provider_aegis.client.protocol.operations import Call

# How long the read after the deadline may take: the job may have ended just before.
LAST_READ_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a wait ended, and what was known then.

    :param payload: the last answer, empty where there was none.
    :param error: the error that ended the wait, or that the last read met.
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

        :raises ValueError: if the event is anything else.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"not an ending but {type(event).__name__}")
        payload, error = event.get("payload"), event.get("error")
        if not isinstance(payload, Mapping) or not (error is None or isinstance(error, Mapping)):
            raise ValueError("payload or error is missing or malformed")
        ending = cls(Outcome(str(event.get("outcome"))), payload, from_dict(error) if error else None)
        if ending.outcome is Outcome.ERROR and not ending.error:
            raise ValueError("the outcome is an error, and none is given")
        return ending


@dataclass(slots=True, kw_only=True)
class Poller:
    """Reads one job again and again, and remembers what its answers said.

    :param read: the call that reads the job.
    :param judge: says what an answer means.
    :param now: gives the seconds of a clock that does not jump during the wait.
    :param began: when the wait began, by that clock.
    :param patience: after which errors the job is read again at the next poll.
    :ivar payload: the last answer.
    :ivar error: the error that the last read met, ``None`` after an answer.
    """

    read: Call
    judge: Judge
    now: Callable[[], float]
    began: float
    patience: Patience = Patience.DEADLINE
    payload: Mapping[str, Any] = field(default_factory=dict)
    error: SecurityCenterError | None = None
    samples: list[Sample] = field(default_factory=lambda: [Sample(0.0, 0.0)])

    def poll(
        self, config: ClientConfig, *, deadline: float | None, priority: Priority = Priority.POLL
    ) -> Flow[Ending | None]:
        """Read the job once.

        :param deadline: seconds of the service's monotonic clock.
        :return: how the job ended, ``None`` if it runs, or if the read met an error that is retried.
        :raises SecurityCenterError: one that asking again cannot change.
        """
        try:
            payload = yield from exchange(config, self.read, deadline=deadline, priority=priority)
        except SecurityCenterError as error:
            if not self.patience.outlasts(error):
                raise
            if not self.error:  # one warning for each streak of errors
                log.warning("Security Center cannot be read for now; retrying. %s", error)
            self.error = error
            return None
        if self.error:
            log.info("Security Center answers again.")
        self.payload, self.error, now = payload, None, self.now()
        reading = self.judge.judge(payload, now)
        if reading.outcome:
            return Ending(reading.outcome, payload)
        remember(self.samples, Sample(now - self.began, reading.progress))
        return None


def wait(
    config: ClientConfig,
    read: Call,
    *,
    judge: Judge,
    poll_interval: PollInterval,
    deadline: float | None = None,
    first_delay: float = 0.0,
    patience: Patience = Patience.DEADLINE,
) -> Flow[Ending]:
    """Wait until a job is over.

    At the deadline the job is read one last time.

    :param read: the call that reads the job.
    :param judge: says what an answer means.
    :param deadline: seconds of the service's monotonic clock.
    :param first_delay: seconds before the first read.
    :param patience: after which errors the job is read again at the next poll.
    :return: how it ended.
    :raises SecurityCenterError: one that asking again cannot change.
    """
    now = config.clock.monotonic
    poller = Poller(read=read, judge=judge, now=now, began=now(), patience=patience)
    delay = first_delay
    while True:
        delay = min(delay, config.max_poll_delay)
        last = deadline is not None and now() + delay >= deadline
        if last and deadline is not None:
            delay = max(0.0, deadline - now())
        if delay > 0:
            yield Sleep(delay)
        until = now() + LAST_READ_SECONDS if last else deadline
        priority = Priority.URGENT if last else Priority.POLL
        if ending := (yield from poller.poll(config, deadline=until, priority=priority)):
            return ending
        if last:
            return Ending(Outcome.DEADLINE, poller.payload, poller.error)
        delay = poll_interval.next_delay(poller.samples, config.rng.random())
