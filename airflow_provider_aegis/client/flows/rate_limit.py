"""The rate limiter that everything in this process shares when it talks to one account at one endpoint.

No library fits: the ones at hand sleep by themselves, in a thread or in a loop, where this one has to serve both, and
none shares a quota with processes that it knows only by the service's refusals.

Theory of operation. A call takes a turn of one of three priorities, and asks (:meth:`RateLimiter.reserve`) how long it
has to wait; it sleeps and asks again, until the answer is 0. So a call that gives up has taken nothing, one that goes
first delays the others by just its own request, and a rate that rises is used at once.

- URGENT (cancelling, the last read at a deadline) goes at once, unless the service asked this very operation to wait:
  it counts its quota by operation. Of several urgent calls each goes in its order, at ``ceiling`` requests a second.
  One whose deadline comes first goes all the same: the service may refuse it, but to wait is to give up.
- CALL (all else that somebody waits for) goes in its order at ``ceiling`` requests a second.
- POLL (reads that repeat while a task runs) goes in its order behind these at ``rate``, which is learnt: see
  :mod:`~airflow_provider_aegis.client.flows.adaptive_rate`.

A turn's place is counted from the last request, not reserved ahead: a call that sleeps on when its moment has come (its
thread is busy, or was interrupted by the signal handler that asks now) holds up those behind it by one request, and
goes as soon as it wakes. A refused call keeps its turn, and its request is not counted. A pause that the service asked
for holds for all other calls; for polls it ends at random within half an interval, so that not all processes come back
at once.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_aegis.client.flows.adaptive_rate import AdaptiveRate

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from airflow_provider_aegis.client.config import ClientConfig

# A call asks again at least so often: others may give up meanwhile, or the rate may rise.
LONGEST_NAP_SECONDS = 1.0
# A connection that was not used for so long does not hold others of its account down.
CEILING_SECONDS = 600.0
MOST_LIMITERS = 256
# After a pause polls go on at random within this share of their interval.
SPREAD = 0.5


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
        self._polls = AdaptiveRate(ceiling, now())
        self._now = now
        self._rng = rng
        self._numbers = itertools.count()
        self._line: list[Turn] = []
        self._since: dict[Turn, float] = {}
        self._taken = self._urgent_taken = self._asked_until = self._polls_paused_until = float("-inf")
        self._asked_of: dict[str, float] = {}
        self._ceilings: dict[str, _Ceiling] = {}
        self._lock = threading.RLock()  # a signal handler may interrupt the holder

    @property
    def ceiling(self) -> float:
        """Requests a second at the most."""
        return self._polls.ceiling

    @property
    def rate(self) -> float:
        """Polls a second, as learnt so far."""
        return self._polls.rate

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
            urgent, polls = turn[0] is Priority.URGENT, turn[0] is Priority.POLL
            gap = 1 / (self.rate if polls else self.ceiling)
            ahead = bisect_left(self._line, turn)
            if urgent:
                taken, paused_until = self._urgent_taken, self._asked_of.get(action, now)
            else:
                taken, paused_until = self._taken, self._polls_paused_until if polls else self._asked_until
            start = max(taken + gap, paused_until) + ahead * gap
            if start > now + 1e-9:
                if turn not in self._since:
                    insort(self._line, turn)
                    self._since[turn] = now
                return start - now
            if urgent:
                self._urgent_taken, self._taken = now, max(self._taken, now)
            else:
                # What nobody used is not saved up, but those in the line do not lose what passed while they slept.
                self._taken = max(self._taken + gap, now - ahead * gap) if self._line else now
            self.leave(turn)
            return 0.0

    def nap(self, wait: float) -> float:
        """Return how much of a wait to sleep before asking again."""
        return min(wait, max(LONGEST_NAP_SECONDS, self._asked_until - self._now()))

    def leave(self, turn: Turn) -> None:
        """Give a turn up, or be done with it."""
        with self._lock:
            if self._since.pop(turn, None) is not None:
                self._line.remove(turn)

    def throttled(self, wait: float, action: str = "") -> None:
        """Take note that the service refused a request for its quota.

        :param wait: seconds in which nobody should ask.
        :param action: the operation that it refused.
        """
        with self._lock:
            now = self._now()
            self._polls.refused(now, wait=self._last_wait(now))
            gap = 1 / self.rate
            self._taken = min(self._taken, now - gap)
            self._asked_until = max(self._asked_until, now + wait)
            self._asked_of[action] = now + wait
            spread = self._rng.random() * SPREAD * gap
            self._polls_paused_until = max(self._polls_paused_until, self._asked_until + spread)

    def answered(self) -> None:
        """Take note of an answer that was no such refusal."""
        with self._lock:
            now = self._now()
            self._polls.answered(now, wait=self._last_wait(now), waiting=len(self._line))

    def allow(self, config: ClientConfig) -> None:
        """Take note of a connection's ceiling: of those in use the lowest counts, of one connection the newest."""
        with self._lock:
            now = self._now()
            known = self._ceilings.get(config.conn_id)
            if known is None or config.read_at >= known.read_at:
                known = _Ceiling(config.max_requests_per_second, config.read_at, now)
                self._ceilings[config.conn_id] = known
            known.used_at = now
            in_use = (one.value for one in self._ceilings.values() if now - one.used_at <= CEILING_SECONDS)
            self._polls.ceiling = min(in_use)

    def _last_wait(self, now: float) -> float:
        """How long the last call in the line will have waited when its turn comes."""
        return now - self._since[self._line[-1]] + len(self._line) / self.rate if self._line else 0.0


_limiters: OrderedDict[tuple[str, str], RateLimiter] = OrderedDict()
_limiters_lock = threading.RLock()


def limiter_of(config: ClientConfig) -> RateLimiter:
    """Return this process's rate limiter for a service's account at its endpoint."""
    key = config.credentials.account, config.endpoint.host
    with _limiters_lock:
        limiter = _limiters.get(key)
        if limiter is None:
            limiter = RateLimiter(config.max_requests_per_second, config.clock.monotonic, config.rng)
            _limiters[key] = limiter
        _limiters.move_to_end(key)
        while len(_limiters) > MOST_LIMITERS:
            _limiters.popitem(last=False)
    limiter.allow(config)
    return limiter
