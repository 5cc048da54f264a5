"""The pace: few requests for a long wait, and the end seen soon."""

from __future__ import annotations

import random

import pytest

from airflow_provider_aegis.client.flows.poll_interval import (
    JITTER,
    MOST_SAMPLES,
    PollInterval,
    Sample,
    remember,
    time_left,
)
from tests.benchmarks import pace as simulation

PACE = PollInterval(30.0, 300.0)


def samples(*points: tuple[float, float | None]) -> list[Sample]:
    return [Sample(elapsed, progress) for elapsed, progress in points]


@pytest.mark.parametrize("shape", simulation.TOLD)
def test_with_progress_half_the_requests_of_fixed_polling_see_the_end_no_later(shape: str) -> None:
    mine, base = simulation.ours(PACE, shape), simulation.fixed()
    assert mine.requests <= base.requests / 2
    assert mine.lag <= base.lag


def test_without_progress_neither_figure_is_worse_than_with_fixed_polling() -> None:
    mine, base = simulation.ours(PACE, "silent"), simulation.fixed()
    assert mine.requests <= base.requests
    assert mine.lag <= base.lag


@pytest.mark.parametrize(
    "seen",
    [
        [],
        samples((0, None), (30, None)),
        samples((0, 0.0)),
        samples((0, 0.0), (30, 0.0)),
        samples((0, 0.0), (30, 1.0)),
        samples((0, 0.5), (30, 0.4)),
        samples((0, 0.0), (0, 0.5)),
    ],
)
def test_where_progress_tells_nothing_the_floor_holds(seen: list[Sample]) -> None:
    assert time_left(seen) is None
    assert PACE.next_delay(seen, 0) == 30
    assert PACE.next_delay(seen, 1) == pytest.approx(30 * (1 + JITTER))


def test_far_from_the_end_a_part_of_the_way_is_slept() -> None:
    assert PACE.next_delay(samples((0, 0.0), (400, 0.5)), 0) == 100


def test_near_the_end_the_nap_ends_just_behind_it() -> None:
    assert PACE.next_delay(samples((0, 0.0), (400, 0.9)), 0) == pytest.approx(400 / 9 * 1.05)


def test_a_stall_is_not_slept_through() -> None:
    moving = samples((0, 0.0), (1000, 0.4))
    assert PACE.next_delay(moving, 0) > 200
    assert PACE.next_delay([*moving, Sample(3000, 0.4)], 0) == 30


def test_no_delay_is_ever_outside_of_floor_and_ceiling() -> None:
    rng = random.Random(3)
    for _ in range(2000):
        points = [
            (at, rng.choice([None, rng.random(), 1.0])) for at in sorted(rng.sample(range(9000), rng.randint(0, 9)))
        ]
        delay = PACE.next_delay(samples(*points), rng.random())
        assert 30 <= delay <= 300


def test_a_wait_of_weeks_remembers_no_more_than_one_of_hours() -> None:
    samples: list[Sample] = [Sample(0.0, 0.0)]
    for poll in range(1, 40_000):
        remember(samples, Sample(30.0 * poll, poll / 100_000))
        assert len(samples) <= MOST_SAMPLES
    assert time_left(samples) == pytest.approx(30.0 * 60_000, rel=0.02)


def test_progress_that_stands_still_is_remembered_by_its_first_and_last_sample() -> None:
    samples: list[Sample] = [Sample(0.0, 0.0), Sample(10.0, 0.5)]
    for poll in range(1, 1000):
        remember(samples, Sample(10.0 + poll, 0.5))
    remember(samples, Sample(2000.0, 0.75))
    assert samples == [Sample(0.0, 0.0), Sample(10.0, 0.5), Sample(1009.0, 0.5), Sample(2000.0, 0.75)]
