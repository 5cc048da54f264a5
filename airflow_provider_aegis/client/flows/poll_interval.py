"""When to ask next: a pure function of what was seen so far.

The constants are the outcome of ``tests/benchmarks/pace.py``, which plays scans of many lengths and kinds of progress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Speed is taken from the latter part of the scan's life: this share of it.
MEMORY = 0.5
# An estimate is slept on for no longer than this share of the time it rests on, nor of the time it promises.
TRUST = 0.5
FAR = 0.25
# The last nap ends a little behind the estimated end: to look just before it is a request for nothing.
MARGIN = 0.05
# Tasks that began together drift apart.
JITTER = 0.1
# Beyond it, every second one of the older half is dropped.
MOST_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: seconds since the wait began, and the progress it told (0 to 1), if any."""

    elapsed: float
    progress: float | None


@dataclass(frozen=True, slots=True)
class PollInterval:
    """How often to ask.

    :param minimum: seconds that lie between two reads at the least (``poll_interval``).
    :param maximum: seconds that lie between two reads at the most (``max_poll_interval``).
    """

    minimum: float
    maximum: float

    def next_delay(self, samples: Sequence[Sample], jitter: float) -> float:
        """Return the seconds until the next read.

        Without progress that is the floor. With progress the end is estimated: far from it a part of the way is
        slept, and the last nap ends just behind it.

        :param samples: what was seen, oldest first.
        :param jitter: a random number from 0 to 1.
        """
        left = time_left(samples)
        if left is None:
            return self.minimum * (1 + JITTER * jitter)
        far = left >= 2 * self.minimum
        nap = min(left * FAR, samples[-1].elapsed * TRUST) if far else left * (1 + MARGIN)
        return min(self.maximum, max(self.minimum, nap))


def remember(samples: list[Sample], sample: Sample) -> None:
    """Add a sample, and keep no more than an estimate needs: of a wait of weeks as many as of one of hours.

    :param samples: what was seen, oldest first; changed in place.
    """
    standing = len(samples) > 1 and samples[-2].progress == samples[-1].progress == sample.progress
    if standing:
        samples.pop()  # of progress that stands still the first and the last sample say all
    samples.append(sample)
    if len(samples) > MOST_SAMPLES:
        del samples[1 : MOST_SAMPLES // 2 : 2]


def time_left(samples: Sequence[Sample]) -> float | None:
    """Estimate the seconds until the end; ``None`` where progress says nothing about it."""
    told = [sample for sample in samples if sample.progress is not None]
    told = [sample for sample, before in zip(told, [None, *told], strict=False) if sample != before]
    gains = _gains(told)
    if len(gains) < 2 or _share(gains[-1]) >= 1:
        return None
    last = gains[-1]
    recent = [gain for gain in gains[:-1] if gain.elapsed >= last.elapsed * (1 - MEMORY)]
    first = recent[0] if recent else gains[-2]
    speed = (_share(last) - _share(first)) / (last.elapsed - first.elapsed)
    left = (1 - _share(last)) / speed - (told[-1].elapsed - last.elapsed)
    if len(gains) < len(told):
        # Progress comes in steps, and the last one may have come right after the read before it.
        left -= last.elapsed - told[told.index(last) - 1].elapsed
    return left if left > 0 else None


def _gains(told: Sequence[Sample]) -> list[Sample]:
    """The samples at which there was more progress than ever before."""
    gains: list[Sample] = []
    for sample in told:
        if not gains or (_share(sample) > _share(gains[-1]) and sample.elapsed > gains[-1].elapsed):
            gains.append(sample)
    return gains


def _share(sample: Sample) -> float:
    return sample.progress or 0.0
