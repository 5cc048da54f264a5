"""How often a process polls when it shares a quota with others that it knows only by the service's refusals.

Theory of operation. The service lets an account make so many requests a second, and refuses what comes beyond. Many
processes poll for one account, none knows how many there are, and each is refused just now and then: a process that
has its share of a busy quota makes a request every two seconds, and may be refused three times in a minute. So little
is learnt from each refusal that rates which move with every answer wander apart. Here they do not wander:

- **Steps.** The rate is a power of two (4, 2, 1, 1/2, 1/4 a second), or the ceiling. Processes at the same step send at
  the same interval, so whoever found a free moment in the service's second finds it free again the next time; a
  refused poll looks for another moment, at random within one interval. A quota that is nearly used up is so shared
  almost without refusals.
- **One step down** needs evidence: two refusals among a few answers. One is enough in the first answers after a step
  up, and for a process whose callers are served quickly; a process whose callers wait for long needs up to five.
- **One step up** needs a run of answers without a refusal, each of which counts for more the longer callers wait (its
  fourth power: 190 answers at 30 s, 25 at 50 s, 2 at 100 s). So the process that is late moves first, the one that is
  early yields first, and all see their tasks about as late, whatever step they began with.
- **Slow start.** Until its first refusal, and after two minutes without one, a process needs eight answers in a row.
- **Storms.** If a third of the answers are refusals, and go on to be although the rate has fallen, it is not our rate
  that brings them about. As soon as answers come in a row again, the rate is what empties the line in some seconds, on
  trial like any step up. (In a quota that is shared as above such a third is not seen for long enough.)

``tests/benchmarks/fleet_simulation.py`` plays this with many processes, and ``fleet.py`` beside it measures real ones;
the constants are the outcome.
"""

from __future__ import annotations

import math

# Requests a second: at the start (or this share of the ceiling), and at the least.
START_RATE, START_SHARE, LOWEST_RATE = 1.0, 0.2, 0.25
# A refusal counts 1, an answer takes this much off; at the limit, times the urge, the rate goes one step down.
REFUSALS, OFF_FOR_AN_ANSWER = 1.8, 0.15
# The urge is how long callers wait, as a share of this, within bounds.
FAIR_WAIT_SECONDS, LEAST_URGE, MOST_URGE, URGE_POWER = 40.0, 0.5, 2.5, 4
# Answers without a refusal that are needed for a step up (each times the urge to its power), and in slow start; and
# during how many one refusal takes it back.
RUN, SLOW_START_RUN, ON_TRIAL = 60.0, 8, 6
SLOW_START_AFTER_SECONDS = 120.0
# A storm: this share of refusals, where each of the last answers counts for so much; it is over after so many in a row.
STORM_SHARE, EACH_ANSWER, STORM_OVER_RUN, EMPTY_LINE_SECONDS = 0.35, 0.1, 4, 8.0
# Without a ceiling, a first step down has to begin somewhere.
HIGHEST_STEP = 1024.0


class AdaptiveRate:
    """Learns from answers and refusals.

    :param ceiling: requests a second, never exceeded.
    :param now: monotonic seconds, as below.
    """

    def __init__(self, ceiling: float, now: float) -> None:
        self.ceiling = ceiling
        start = max(START_RATE, ceiling * START_SHARE)
        self._step = 2.0 ** math.floor(math.log2(start)) if start < HIGHEST_STEP else math.inf
        self._evidence = self._run = self._refused_share = 0.0
        self._in_a_row = self._on_trial = 0
        self._slow_start, self._storm = True, False
        self._refused_at = now

    @property
    def rate(self) -> float:
        """Requests a second."""
        return min(self._step, self.ceiling)

    def refused(self, now: float, *, wait: float) -> None:
        """Take note that the service refused a request for its quota.

        :param wait: seconds that the last caller in the line will have waited when its turn comes.
        """
        self._refused_share += EACH_ANSWER * (1 - self._refused_share)
        self._evidence += 1
        if self._evidence >= (1 if self._on_trial else REFUSALS * _urge(wait)):
            self._step = self._step_below()
            self._evidence = self._on_trial = 0
        self._run = self._in_a_row = 0
        self._slow_start, self._refused_at = False, now
        self._storm = self._refused_share > STORM_SHARE

    def answered(self, now: float, *, wait: float, waiting: int) -> None:
        """Take note of an answer that was no such refusal.

        :param wait: as above.
        :param waiting: how many callers are in the line.
        """
        self._refused_share -= EACH_ANSWER * self._refused_share
        self._evidence = max(0.0, self._evidence - OFF_FOR_AN_ANSWER)
        self._on_trial = max(0, self._on_trial - 1)
        self._in_a_row += 1
        self._run += _urge(wait) ** URGE_POWER
        self._slow_start = self._slow_start or now - self._refused_at > SLOW_START_AFTER_SECONDS
        step = self._step
        if self._storm and self._in_a_row * max(1.0, _urge(wait)) >= STORM_OVER_RUN:
            self._storm = False
            step = max(step, 2.0 ** math.ceil(math.log2((waiting + 1) / EMPTY_LINE_SECONDS)))
        elif self._run >= RUN or (self._slow_start and self._in_a_row >= SLOW_START_RUN):
            step *= 2
        if step > self._step:
            self._step = step if step < self.ceiling else math.inf
            self._run = self._in_a_row = 0
            self._on_trial = ON_TRIAL

    def _step_below(self) -> float:
        rate = min(self.rate, HIGHEST_STEP)
        return max(min(rate, LOWEST_RATE), 2.0 ** (math.ceil(math.log2(rate)) - 1))


def _urge(wait: float) -> float:
    return min(MOST_URGE, max(LEAST_URGE, wait / FAIR_WAIT_SECONDS))
