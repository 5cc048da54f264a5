"""How a process learns its rate of polls: answers raise it, refusals lower it, more or less as callers wait."""

from __future__ import annotations

import math
import random

import pytest

from airflow_provider_aegis.client.flows.adaptive_rate import (
    CALM_SECONDS,
    DOWN,
    EMPTY_LINE_SECONDS,
    FAIR_WAIT_SECONDS,
    LOWEST_RATE,
    SLOW_START_DOWN,
    START_RATE,
    STORM_OVER_RUN,
    UP,
    AdaptiveRate,
)

EARLY, FAIR, LATE = 5.0, FAIR_WAIT_SECONDS, 120.0


class Process:
    """One whose line does not change, and whose clock stands still unless it is moved."""

    def __init__(self, ceiling: float = 5.0, wait: float = FAIR, waiting: int = 25) -> None:
        self.adaptive = AdaptiveRate(ceiling, 0.0)
        self.wait = wait
        self.waiting = waiting
        self.now = 0.0

    @property
    def rate(self) -> float:
        return self.adaptive.rate

    def answered(self, times: int = 1) -> float:
        """Return how many times as high the rate is afterwards."""
        before = self.rate
        for _ in range(times):
            self.adaptive.answered(self.now, wait=self.wait, waiting=self.waiting)
        return self.rate / before

    def refused(self, times: int = 1) -> float:
        before = self.rate
        for _ in range(times):
            self.adaptive.refused(self.now, wait=self.wait)
        return self.rate / before


def settled(wait: float = FAIR) -> Process:
    """Return a process that is past its slow start, at some requests a second."""
    process = Process(ceiling=100, wait=wait)
    process.refused()
    return process


@pytest.mark.parametrize(
    ("ceiling", "rate"), [(5.0, START_RATE), (0.5, 0.5), (100.0, 12.0), (math.inf, math.inf), (1e6, 1.2e5)]
)
def test_it_begins_with_a_share_of_its_ceiling(ceiling: float, rate: float) -> None:
    assert Process(ceiling).rate == rate


def test_until_its_first_refusal_it_rises_to_its_ceiling_within_some_dozen_answers() -> None:
    process = Process(wait=EARLY)
    process.answered(32)
    assert process.rate == 5
    assert process.refused() == SLOW_START_DOWN


def test_an_answer_raises_it_a_little_and_a_refusal_lowers_it_a_lot() -> None:
    process = settled()
    assert process.answered() == pytest.approx(1 + UP)
    assert process.refused() == pytest.approx(1 - DOWN)


@pytest.mark.parametrize("quota", [3.0, 12.0, 40.0])
def test_where_up_and_down_balance_some_are_refused_whatever_the_quota_is(quota: float) -> None:
    """Refused by chance, the more so the further its rate is above the quota."""
    rng = random.Random(1)
    process = settled()
    refused = 0
    for number in range(6000):
        process.now += 1 / process.rate
        if rng.random() < max(0.0, 1 - quota / process.rate):
            process.refused()
            refused += number >= 1000
        else:
            process.answered()
    assert refused / 5000 == pytest.approx(UP / DOWN, rel=0.3)
    assert process.rate == pytest.approx(quota, rel=0.5)


def test_a_process_whose_callers_wait_for_longer_moves_up_faster_and_down_slower() -> None:
    ups = [settled(wait).answered() - 1 for wait in (EARLY, FAIR, LATE)]
    downs = [1 - settled(wait).refused() for wait in (EARLY, FAIR, LATE)]
    assert ups[0] < ups[1] / 4
    assert ups[1] < ups[2] / 3
    assert downs[0] > 2 * downs[1] > 4 * downs[2]


def test_the_longer_ago_the_last_refusal_was_the_faster_it_rises() -> None:
    process = settled()
    process.now = CALM_SECONDS
    assert process.answered() == pytest.approx(1 + UP)
    process.now = 10 * CALM_SECONDS
    assert process.answered() == pytest.approx(1 + 10 * UP)


@pytest.mark.parametrize(("ceiling", "lowest"), [(5.0, LOWEST_RATE), (0.1, 0.1), (math.inf, LOWEST_RATE)])
def test_it_never_falls_below_a_crawl(ceiling: float, lowest: float) -> None:
    process = Process(ceiling)
    process.refused(500)
    assert process.rate == pytest.approx(lowest)


def test_after_a_storm_it_polls_at_once_what_waits() -> None:
    process = Process(wait=FAIR, waiting=25)
    for _ in range(40):
        process.refused()
        process.answered()
    assert process.rate < 1
    process.answered(STORM_OVER_RUN - 1)
    assert process.rate >= 25 / EMPTY_LINE_SECONDS


def test_refusals_that_are_no_storm_leave_no_such_leap_behind() -> None:
    process = Process(wait=FAIR, waiting=25)
    for _ in range(40):
        process.refused()
        process.answered(4)
    assert process.answered(STORM_OVER_RUN) < 1.1


@pytest.mark.parametrize("seed", range(10))
def test_after_a_short_trouble_each_of_some_polls_is_served_soon(seed: int) -> None:
    """A fifth is refused for 6 s while 18 callers poll every 10 s."""
    rng = random.Random(seed)
    process = Process(waiting=18)
    process.answered(50)
    while process.now < 6:
        process.wait = 18 / process.rate
        process.refused() if rng.random() < 0.2 else process.answered()
        process.now += max(1 / process.rate, 10 / 18)
    began = process.now
    for _ in range(18):
        process.answered()
        process.now += 1 / process.rate
    assert process.now - began < 25


def test_a_ceiling_that_is_raised_is_used_at_once_by_a_process_that_has_reached_it() -> None:
    process = Process(ceiling=2, wait=EARLY)
    process.answered(50)
    assert process.rate == 2
    process.adaptive.ceiling = 8
    assert process.rate == 8
    process.adaptive.ceiling = 3
    assert process.rate == 3
