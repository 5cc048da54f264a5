"""The rate limiter that everything in this process shares when it talks to one account at one endpoint.

No library fits: the ones at hand sleep by themselves, in a thread or in a loop, where this one has to serve both, and
none shares a quota with processes that it knows only by the service's refusals.

Theory of operation. A call takes a turn of one of three priorities, and asks (:meth:`RateLimiter.reserve`) how long it
has to wait; it asks again after a part of that, until the answer is 0. So a call that gives up has taken nothing, and
one that goes first delays the others by just its own request.

- URGENT (cancelling, the last read at a deadline) goes at once, unless the service asked this very operation to wait:
  it counts its quota by operation.
- CALL (all else that somebody waits for) goes in its order at ``ceiling`` requests a second.
- POLL (reads that repeat while a task runs) goes in its order behind these at ``rate``, which is learnt.

All processes of an account share its quota, and none knows of the others. Each raises its rate with every answer and
lowers it with every refusal, as TCP does, so that together they stay a little below the quota:

- Until its first refusal, and after some answers without one, a process raises its rate with each answer (slow start).
- Then it raises it by so much a second, and lowers it by a share. A process whose oldest poll has waited for long
  raises more and lowers less, so that all processes come to see their tasks about as late.
- While many of its answers are refusals, it lowers its rate faster. If that does not help for some seconds, the service
  refuses for a reason of its own: the rate is then not lowered below ``STORM_RATE``, and as soon as answers come again
  it is raised to what empties the line.
- A pause that the service asked for holds for all other calls; for polls it ends at random within one interval, so
  that not all processes come back at once.

``tests/benchmarks/fleet.py`` plays these rules with many processes; the constants are its outcome.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from airflow_provider_aegis.client.service import Service

# Requests a second: at the start (or this share of the ceiling), at the least, and at the least while the service
# refuses for a reason of its own.
START_RATE, START_SHARE, LOWEST_RATE, STORM_RATE = 1.0, 0.2, 0.5, 1.3
# In slow start the rate is raised with each answer by this share of the ceiling.
SLOW_START_SHARE, SLOW_START_AFTER_ANSWERS = 0.01, 4
RAISE_PER_SECOND, LOWER_SHARE, LOWER_SHARE_IF_MANY = 0.004, 0.25, 0.4
# How long the oldest poll waits in a process that has its share of an overloaded quota.
FAIR_WAIT_SECONDS = 35.0
LEAST_URGE, MOST_URGE, URGE_POWER = 0.7, 2.5, 3
# The share of refusals among the last answers, each of which counts for so much; above it, many are refused.
EACH_ANSWER, MANY_REFUSED = 0.2, 0.45
STORM_AFTER_SECONDS, STORM_OVER_AFTER_ANSWERS, EMPTY_LINE_SECONDS = 6.0, 5, 8.0
# A call asks again after half of its wait, and not more often than this.
SHORTEST_NAP_SECONDS = 1.0
# A connection that was not used for so long does not hold others of its account down.
CEILING_SECONDS = 600.0
MOST_LIMITERS = 256


class Priority(IntEnum):
    """Which calls go first."""

    URGENT = 0
    CALL = 1
    POLL = 2


Turn: TypeAlias = tuple[Priority, int]


@dataclass(slots=True)
class _Ceiling:
    value: float
    read_at: float
    used_at: float


class RateLimiter:
    """Spaces requests out.

    :param ceiling: requests a second.
    :param now: monotonic seconds.
    :param rng: draws the jitter.
    """

    def __init__(self, ceiling: float, now: Callable[[], float], rng: random.Random) -> None:
        self.ceiling = ceiling
        self.rate = min(ceiling, max(START_RATE, ceiling * START_SHARE))
        self._now = now
        self._rng = rng
        self._numbers = itertools.count()
        self._line: list[Turn] = []
        self._since: dict[Turn, float] = {}
        self._taken = self._asked_until = self._polls_paused_until = float("-inf")
        self._asked_of: dict[str, float] = {}
        self._ceilings: dict[str, _Ceiling] = {}
        self._refused_share = 0.0
        self._answers = 0  # since the last refusal
        self._changed_at = now()
        self._many_since: float | None = None
        self._slow_start, self._storm = True, False
        self._lock = threading.RLock()  # a signal handler may interrupt the holder

    def turn(self, priority: Priority) -> Turn:
        """Return a turn behind all others of its priority."""
        return priority, next(self._numbers)

    def reserve(self, turn: Turn, action: str = "") -> float:
        """Take a request's place if it may go now.

        :param action: the operation, for which the service may have asked to wait.
        :return: 0 if it may, else the seconds until it may as things stand.
        """
        with self._lock:
            now = self._now()
            if turn[0] is Priority.URGENT:
                self._taken = max(self._taken, now)
                return max(0.0, self._asked_of.get(action, now) - now)
            polls = turn[0] is Priority.POLL
            gap = 1 / (self.rate if polls else self.ceiling)
            ahead = bisect_left(self._line, turn)
            paused_until = self._polls_paused_until if polls else self._asked_until
            start = max(self._taken + gap, paused_until) + ahead * gap
            if start <= now + 1e-9:
                # What nobody used is not saved up, but those in the line do not lose what passed while they slept.
                self._taken = max(self._taken + gap, now - ahead * gap) if self._line else now
                self.leave(turn)
                return 0.0
            if turn not in self._since:
                insort(self._line, turn)
                self._since[turn] = now
            return start - now

    def nap(self, wait: float) -> float:
        """Return how much of a wait to sleep before asking again: others may give up, or go first."""
        return min(wait, max(SHORTEST_NAP_SECONDS, wait / 2, self._asked_until - self._now()))

    def leave(self, turn: Turn) -> None:
        """Give a turn up, or be done with it."""
        with self._lock:
            if self._since.pop(turn, None) is not None:
                self._line.remove(turn)

    def throttled(self, wait: float, action: str = "") -> None:
        """Take note that the service refused a request for its quota.

        :param action: the operation that it refused.
        :param wait: seconds in which nobody should ask.
        """
        with self._lock:
            now = self._now()
            self._answers, self._slow_start = 0, False
            self._changed_at = now
            self._refused_share += EACH_ANSWER * (1 - self._refused_share)
            many = self._refused_share > MANY_REFUSED
            if many:
                self._many_since = now if self._many_since is None else self._many_since
                self._storm = self._storm or now - self._many_since >= STORM_AFTER_SECONDS
            share = LOWER_SHARE_IF_MANY if many and not self._storm else LOWER_SHARE / self._urge()
            least = min(self.rate, STORM_RATE if self._storm else LOWEST_RATE)
            self.rate = max(least, self.rate * (1 - share))
            gap = 1 / self.rate
            self._taken = min(self._taken, now - gap)
            self._asked_until = max(self._asked_until, now + wait)
            self._asked_of[action] = now + wait
            self._polls_paused_until = max(self._polls_paused_until, self._asked_until + self._rng.random() * gap)

    def answered(self) -> None:
        """Take note of an answer that was no such refusal."""
        with self._lock:
            now = self._now()
            self._answers += 1
            self._refused_share -= EACH_ANSWER * self._refused_share
            if self._refused_share < MANY_REFUSED / 2:
                self._many_since = None
            self._slow_start = self._slow_start or self._answers >= SLOW_START_AFTER_ANSWERS
            if self._slow_start:
                self.rate += self.ceiling * SLOW_START_SHARE
            else:
                self.rate += RAISE_PER_SECOND * min(now - self._changed_at, 5.0) * self._urge() ** URGE_POWER
            self._changed_at = now
            if self._storm and self._answers >= STORM_OVER_AFTER_ANSWERS:
                self.rate = max(self.rate, (len(self._line) + 1) / EMPTY_LINE_SECONDS)
                self._storm, self._many_since = False, None
            self.rate = min(self.rate, self.ceiling)

    def allow(self, service: Service) -> None:
        """Take note of a connection's ceiling: of those in use the lowest counts, of one connection the newest."""
        with self._lock:
            now = self._now()
            known = self._ceilings.get(service.conn_id)
            if known is None or service.read_at >= known.read_at:
                known = _Ceiling(service.max_requests_per_second, service.read_at, now)
                self._ceilings[service.conn_id] = known
            known.used_at = now
            in_use = (one.value for one in self._ceilings.values() if now - one.used_at <= CEILING_SECONDS)
            self.ceiling = min(in_use)
            self.rate = min(self.rate, self.ceiling)

    def _urge(self) -> float:
        """How much longer than its share the oldest poll waits, within bounds."""
        if not self._line:
            return LEAST_URGE
        oldest = self._now() - self._since[self._line[0]]
        wait = max(oldest, len(self._line) / self.rate)
        return min(MOST_URGE, max(LEAST_URGE, wait / FAIR_WAIT_SECONDS))


_limiters: OrderedDict[tuple[str, str], RateLimiter] = OrderedDict()
_limiters_lock = threading.RLock()


def limiter_of(service: Service) -> RateLimiter:
    """Return this process's rate limiter for a service's account at its endpoint."""
    key = service.credentials.account, service.endpoint.host
    with _limiters_lock:
        limiter = _limiters.get(key)
        if limiter is None:
            limiter = RateLimiter(service.max_requests_per_second, service.clock.monotonic, service.rng)
            _limiters[key] = limiter
        _limiters.move_to_end(key)
        while len(_limiters) > MOST_LIMITERS:
            _limiters.popitem(last=False)
    limiter.allow(service)
    return limiter
