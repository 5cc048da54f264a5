"""How often a wait asks and how late it sees the end, beside asking every 30 s; a simulation without a network."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean

from airflow_provider_aegis.client.flows.poll_interval import PollInterval, Sample, remember

FIXED = 30.0
FIRST = 10.0
SCANS = 400
# Seconds to hours, each length as likely as its half.
SHORTEST, LONGEST = 5.0, 4 * 3600.0

Progress = Callable[[float], float | None]


@dataclass(frozen=True)
class Figures:
    """What a way of asking costs, as means over all scans."""

    requests: float
    lag: float


def steady(rng: random.Random) -> Progress:
    """Progress that grows with time."""
    return lambda share: share


def stepwise(rng: random.Random) -> Progress:
    """Progress that is told in steps, as when a scan has few targets."""
    steps = rng.randint(3, 20)
    return lambda share: math.floor(share * steps) / steps


def noisy(rng: random.Random) -> Progress:
    """Progress that wavers, also backwards."""
    return lambda share: min(1.0, max(0.0, share + rng.gauss(0, 0.05)))


def stalling(rng: random.Random) -> Progress:
    """Progress that stands still for a good part of the scan."""
    begins, length = rng.uniform(0.2, 0.7), rng.uniform(0.1, 0.3)

    def at(share: float) -> float:
        moved = share if share < begins else max(begins, share - length)
        return min(1.0, moved / (1 - length))

    return at


def overrunning(rng: random.Random) -> Progress:
    """Progress that is past 100 % before the scan is over (clamped, as the client does)."""
    factor = rng.uniform(1.05, 1.3)
    return lambda share: min(1.0, share * factor)


def slowing(rng: random.Random) -> Progress:
    """Progress whose last part takes longest."""
    power = rng.uniform(1.3, 2.5)
    return lambda share: 1 - (1 - share) ** power


def hastening(rng: random.Random) -> Progress:
    """Progress whose first part takes longest."""
    power = rng.uniform(1.3, 2.0)
    return lambda share: share**power


def silent(rng: random.Random) -> Progress:
    """No progress at all."""
    return lambda share: None


SHAPES: dict[str, Callable[[random.Random], Progress]] = {
    shape.__name__: shape for shape in (steady, stepwise, noisy, stalling, overrunning, slowing, hastening, silent)
}
TOLD = tuple(name for name in SHAPES if name != "silent")


def lengths() -> Iterator[tuple[float, random.Random]]:
    """The scans: how long each takes, and its own source of chance."""
    for index in range(SCANS):
        rng = random.Random(index)
        yield SHORTEST * (LONGEST / SHORTEST) ** rng.random(), rng


def ours(pace: PollInterval, shape: str) -> Figures:
    """Ask as the client does."""
    requests, lags = [], []
    for length, rng in lengths():
        told = SHAPES[shape](rng)
        samples = [Sample(0.0, 0.0)]
        now, count = FIRST, 1
        while now < length:
            remember(samples, Sample(now, told(now / length)))
            now += pace.next_delay(samples, rng.random())
            count += 1
        requests.append(count)
        lags.append(now - length)
    return Figures(mean(requests), mean(lags))


def fixed() -> Figures:
    """Ask every 30 seconds, the first time after 30."""
    counts = [math.ceil(length / FIXED) for length, _ in lengths()]
    lags = [count * FIXED - length for count, (length, _) in zip(counts, lengths(), strict=True)]
    return Figures(mean(counts), mean(lags))


def report() -> str:
    """Return the table."""
    base, pace = fixed(), PollInterval(FIXED, 300.0)
    lines = [
        f"{'progress':<12} {'requests':>9} {'lag s':>7} {'of fixed requests':>18} {'of fixed lag':>13}",
        f"{'fixed 30 s':<12} {base.requests:>9.1f} {base.lag:>7.1f}",
    ]
    for shape in SHAPES:
        mine = ours(pace, shape)
        lines.append(
            f"{shape:<12} {mine.requests:>9.1f} {mine.lag:>7.1f} {mine.requests / base.requests:>18.2f} "
            f"{mine.lag / base.lag:>13.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
