"""When to ask next: a pure function of what was seen so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A scan that reported progress twice can be extrapolated; what is older than this share of its life says little.
MEMORY = 0.5
# Long naps rest on long observation: an estimate is never trusted for longer than this share of the time watched.
TRUST = 0.5
# How far behind the estimated end to look, as a share of the estimate: before it is one request for nothing.
MARGIN = 0.08
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: seconds since the wait began, and the progress it told (0 to 1), if any."""

    elapsed: float
    progress: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to ask.

    :param floor: seconds that lie between two reads at the least (``poll_interval``).
    :param ceiling: seconds that lie between two reads at the most (``max_poll_interval``).
    """

    floor: float
    ceiling: float

    def next_delay(self, samples: Sequence[Sample], jitter: float) -> float:
        """Return the seconds until the next read.

        Without progress this is the floor. With progress the end is estimated: far from it half of the way is
        slept, and the last nap ends just behind it.

        :param samples: what was seen, oldest first.
        :param jitter: a random number from -1 to 1.
        """
        left = time_left(samples)
        if left is None:
            return self.floor * (1 + JITTER * jitter)
        far = left >= 2 * self.floor
        nap = min(left / 2, TRUST * samples[-1].elapsed) if far else left * (1 + MARGIN)
        return min(self.ceiling, max(self.floor, nap))


def time_left(samples: Sequence[Sample]) -> float | None:
    """Estimate the seconds until the end; ``None`` where progress says nothing about it."""
    told = [sample for sample in samples if sample.progress is not None]
    if len(told) < 2:
        return None
    last = told[-1]
    recent = [sample for sample in told[:-1] if sample.elapsed >= last.elapsed * (1 - MEMORY)]
    first = recent[0] if recent else told[-2]
    gained = (last.progress or 0) - (first.progress or 0)
    if gained <= 0 or (last.progress or 0) >= 1:
        return None
    return (1 - (last.progress or 0)) * (last.elapsed - first.elapsed) / gained
