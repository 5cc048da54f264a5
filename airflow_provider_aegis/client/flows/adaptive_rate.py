"""How often a process polls when it shares a quota with others that it knows only by the service's refusals.

Theory of operation. The service lets an account make so many requests a second, and refuses what comes beyond. Many
processes poll for one account, none knows how many there are, and each is refused just now and then: a process that
has its share of a busy quota makes a request every two seconds, and may be refused twice in a minute.

- **Up and down.** An answer raises the rate by a small share, a refusal lowers it by a large one. Where they balance,
  the share of refusals is about the ratio of the two, UP / DOWN, however large the quota is and however many processes
  share it. Some refusals are the price of knowing the limit: fewer would leave a part of the quota unused.
- **Fair shares.** The urge is how long the last caller in the line waits, compared with a fair wait. A step up is
  multiplied by its third power, a step down divided by its second. So a process whose callers wait for long gains on
  one whose callers are served soon, until all wait for about as long. The urge is bounded, and with it the share of
  refusals where the quota is too small for any fair wait.
- **Calm.** The longer ago the last refusal was, the larger is a step up: when other processes are done, those that are
  left rise within seconds.
- **Slow start.** Until its first refusal a process rises fast, and the first refusal halves its rate.
- **Floor.** The rate never falls below a few requests in ten seconds: a slower process would notice too late that
  the trouble is over.
- **Storms.** If more than a third of the answers are refusals, it is not our rate that brings them about. As soon as
  answers come in a row again, the rate is what empties the line in some seconds.

``tests/benchmarks/fleet_simulation.py`` plays this with many processes, and ``fleet.py`` beside it measures real ones;
the constants are the outcome.
"""

from __future__ import annotations

import math

# Requests a second: at the start (or this share of the ceiling), at the least, and where there is no ceiling, what a
# first step down begins with.
START_RATE, START_SHARE, LOWEST_RATE, HIGHEST_RATE = 0.6, 0.12, 0.36, 1024.0
# The shares by which an answer raises the rate and a refusal lowers it.
UP, DOWN, MOST_DOWN = 0.006, 0.12, 0.25
# The urge is how long callers wait, as a share of this, within bounds.
FAIR_WAIT_SECONDS, LEAST_URGE, MOST_URGE = 35.0, 0.6, 1.8
# After so long without a refusal steps up begin to grow.
CALM_SECONDS = 10.0
# The same shares until the first refusal, and with it.
SLOW_START_UP, SLOW_START_DOWN = 0.07, 0.5
# A storm: this share of refusals, where each of the last answers counts for so much; it is over after so many in a row.
STORM_SHARE, EACH_ANSWER, STORM_OVER_RUN, EMPTY_LINE_SECONDS = 0.37, 0.1, 3, 8.0


class AdaptiveRate:
    """Learns from answers and refusals.

    :param ceiling: requests a second, never exceeded.
    :param now: monotonic seconds, as below.
    """

    def __init__(self, ceiling: float, now: float) -> None:
        self.ceiling = ceiling
        self._learnt = max(START_RATE, ceiling * START_SHARE)
        self._refused_share = 0.0
        self._in_a_row = 0
        self._slow_start, self._storm = True, False
        self._refused_at = now

    @property
    def rate(self) -> float:
        """Requests a second."""
        return min(self._learnt, self.ceiling)

    def refused(self, now: float, *, wait: float) -> None:
        """Take note that the service refused a request for its quota.

        :param wait: seconds that the last caller in the line will have waited when its turn comes.
        """
        self._refused_share += EACH_ANSWER * (1 - self._refused_share)
        self._storm = self._refused_share > STORM_SHARE
        down = SLOW_START_DOWN if self._slow_start else min(MOST_DOWN, DOWN / _urge(wait) ** 2)
        rate = min(self.rate, HIGHEST_RATE)
        self._learnt = max(min(rate, LOWEST_RATE), rate * (1 - down))
        self._slow_start, self._in_a_row, self._refused_at = False, 0, now

    def answered(self, now: float, *, wait: float, waiting: int) -> None:
        """Take note of an answer that was no such refusal.

        :param wait: as above.
        :param waiting: how many callers are in the line.
        """
        self._refused_share -= EACH_ANSWER * self._refused_share
        self._in_a_row += 1
        if self._slow_start:
            up = SLOW_START_UP
        else:
            calm = max(1.0, (now - self._refused_at) / CALM_SECONDS)
            up = min(1.0, UP * calm * _urge(wait) ** 3)
        rate = self._learnt * (1 + up)
        if self._storm and self._in_a_row >= STORM_OVER_RUN:
            self._storm = False
            rate = max(rate, (waiting + 1) / EMPTY_LINE_SECONDS)
        # Whoever has reached the ceiling goes at a higher one as soon as there is one.
        self._learnt = rate if rate < self.ceiling else math.inf


def _urge(wait: float) -> float:
    return min(MOST_URGE, max(LEAST_URGE, wait / FAIR_WAIT_SECONDS))
