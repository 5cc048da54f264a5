"""When to read a job next: a pure function of the answers so far.

The constants are the outcome of ``tests/benchmarks/pace.py``, which plays scans of many lengths and kinds of progress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The speed of a scan is measured over the latter part of its life: this share of it.
MEMORY = 0.5
# A delay is no longer than this share of the time that the estimate was measured over, and of the time it predicts.
TRUST = 0.5
FAR = 0.25
# The last delay ends a little after the estimated end: a read just before the end would be wasted.
MARGIN = 0.05
# Tasks that began together drift apart.
JITTER = 0.1
# With more samples than this, every second one of the older half is dropped.
MOST_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: seconds since the wait began, and the progress that it reported (0 to 1), if any."""

    elapsed: float
    progress: float | None


@dataclass(frozen=True, slots=True)
class PollInterval:
    """How often to read a job.

    :param minimum: seconds that lie between two reads at the least (``poll_interval``).
    :param maximum: seconds that lie between two reads at the most (``max_poll_interval``).
    """

    minimum: float
    maximum: float

    def next_delay(self, samples: Sequence[Sample], jitter: float) -> float:
        """Return the seconds until the next read.

        Without progress that is the minimum. With progress the end is estimated: far from the end, the delay is a part
        of the time left; the last delay ends just after it.

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
    """Add a sample, and keep no more than an estimate needs: a wait of weeks keeps as many as a wait of hours.

    :param samples: what was seen, oldest first; changed in place.
    """
    standing = len(samples) > 1 and samples[-2].progress == samples[-1].progress == sample.progress
    if standing:
        samples.pop()  # while the progress stands still, its first and last sample are enough
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
