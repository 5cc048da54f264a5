"""The request budget that everything in this process shares when it talks to one account at one endpoint.

No library fits: the ones at hand sleep by themselves, in a thread or in a loop, where this one has to serve both, and
none slows down when the service says so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

SLOWEST = 0.2
SLOW_DOWN = 0.5
SPEED_UP = 0.1
# Budgets that are remembered; the one that was not used for longest is forgotten first.
MOST_BUDGETS = 256


class Budget:
    """Requests are spaced out evenly, in the order in which they asked.

    An answer that says "throttled" halves the pace and every answer that does not lifts it a little, up to ``ceiling``
    again. What the service asked to wait holds for everybody.

    :param ceiling: requests a second.
    :param now: monotonic seconds.
    """

    def __init__(self, ceiling: float, now: Callable[[], float]) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._now = now
        self._next = self._closed_until = float("-inf")
        self._lock = threading.RLock()  # on_kill runs in a signal handler, which may interrupt the holder

    def reserve(self) -> float:
        """Take the next free place and return the seconds until it comes."""
        with self._lock:
            now = self._now()
            place = max(now, self._next)
            self._next = place + 1 / self.rate
            return place - now

    @property
    def closed(self) -> bool:
        """Whether the service asked everybody to wait, and that time is not over."""
        return self._now() < self._closed_until

    def throttled(self, wait: float) -> None:
        """Take note that the service refused a request for its quota.

        :param wait: seconds in which nobody should ask.
        """
        with self._lock:
            now = self._now()
            self.rate = max(min(SLOWEST, self.ceiling), self.rate * SLOW_DOWN)
            self._closed_until = max(self._closed_until, now + wait)
            self._next = max(self._next, self._closed_until)

    def answered(self) -> None:
        """Take note of an answer that was not throttled."""
        with self._lock:
            self.rate = min(self.ceiling, self.rate + SPEED_UP)


_budgets: OrderedDict[tuple[str, str], Budget] = OrderedDict()
_budgets_lock = threading.RLock()


def shared_budget(*, account: str, endpoint: str, ceiling: float, now: Callable[[], float]) -> Budget:
    """Return this process's budget for an account at an endpoint.

    :param account: what stays the same when its keys change.
    :param ceiling: requests a second; where two connections to the same account disagree, the lower one counts.
    """
    with _budgets_lock:
        budget = _budgets.get((account, endpoint))
        if budget is None:
            budget = _budgets[account, endpoint] = Budget(ceiling, now)
        _budgets.move_to_end((account, endpoint))
        while len(_budgets) > MOST_BUDGETS:
            _budgets.popitem(last=False)
        if ceiling < budget.ceiling:
            budget.ceiling, budget.rate = ceiling, min(budget.rate, ceiling)
        return budget
