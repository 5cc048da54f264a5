"""How a process learns its rate of polls: in steps, the later its callers are served the more so."""

from __future__ import annotations

import math

import pytest

from airflow_provider_aegis.client.flows.adaptive_rate import (
    EMPTY_LINE_SECONDS,
    LOWEST_RATE,
    ON_TRIAL,
    SLOW_START_AFTER_SECONDS,
    SLOW_START_RUN,
    START_RATE,
    AdaptiveRate,
)

EARLY, FAIR, LATE = 5.0, 50.0, 120.0


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

    def answered(self, times: int = 1) -> None:
        for _ in range(times):
            self.adaptive.answered(self.now, wait=self.wait, waiting=self.waiting)

    def refused(self, times: int = 1) -> None:
        for _ in range(times):
            self.adaptive.refused(self.now, wait=self.wait)

    def answers_until_it_rises(self) -> int:
        before, count = self.rate, 0
        while self.rate == before:
            self.answered()
            count += 1
        return count

    def refusals_until_it_falls(self) -> int:
        before, count = self.rate, 0
        while self.rate == before:
            self.refused()
            count += 1
        return count


@pytest.mark.parametrize(
    ("ceiling", "rate"), [(5.0, START_RATE), (0.5, 0.5), (100.0, 16.0), (math.inf, math.inf), (1e6, 1e6)]
)
def test_it_begins_with_a_share_of_its_ceiling(ceiling: float, rate: float) -> None:
    assert Process(ceiling).rate == rate


def test_until_its_first_refusal_it_doubles_with_every_few_answers_up_to_its_ceiling() -> None:
    process = Process(wait=EARLY)
    rates = []
    for _ in range(6):
        process.answered(SLOW_START_RUN)
        rates.append(process.rate)
    assert rates == [2, 4, 5, 5, 5, 5]


def test_after_minutes_without_a_refusal_it_does_so_again() -> None:
    process = Process(wait=EARLY)
    process.refused(3)
    process.now = SLOW_START_AFTER_SECONDS / 2
    process.answered(2 * SLOW_START_RUN)
    slow = process.rate
    process.now = SLOW_START_AFTER_SECONDS + 1
    process.answered(SLOW_START_RUN)
    assert slow < process.rate


def test_every_rate_that_is_learnt_is_a_power_of_two_so_that_processes_keep_the_same_interval() -> None:
    process = Process(ceiling=5)
    process.answered(100)
    assert process.rate == 5
    rates = []
    for _ in range(6):
        process.refusals_until_it_falls()
        rates.append(process.rate)
        if process.rate == LOWEST_RATE:
            break
    assert rates == [4, 2, 1, 0.5, 0.25]


@pytest.mark.parametrize(("ceiling", "lowest"), [(5.0, LOWEST_RATE), (0.1, 0.1), (math.inf, LOWEST_RATE)])
def test_it_never_falls_below_a_crawl(ceiling: float, lowest: float) -> None:
    process = Process(ceiling)
    process.refused(200)
    assert process.rate == lowest


def test_a_refusal_among_many_answers_changes_nothing() -> None:
    process = Process()
    process.refusals_until_it_falls()
    before = process.rate
    for _ in range(20):
        process.refused()
        process.answered(10)
    assert process.rate == before


def test_a_step_up_is_taken_back_by_one_refusal_while_it_is_on_trial_and_not_afterwards() -> None:
    process = Process()
    process.refusals_until_it_falls()
    before = process.rate
    process.answers_until_it_rises()
    assert process.refusals_until_it_falls() == 1
    assert process.rate == before
    process.answers_until_it_rises()
    process.answered(ON_TRIAL)
    assert process.refusals_until_it_falls() > 1


def test_a_process_whose_callers_wait_for_longer_moves_up_sooner_and_down_later() -> None:
    ups, downs = [], []
    for wait in (EARLY, FAIR, LATE):
        process = Process(wait=wait)
        downs.append(process.refusals_until_it_falls())
        ups.append(process.answers_until_it_rises())
    assert ups == sorted(ups, reverse=True)
    assert ups[0] > 10 * ups[1] > 50 * ups[2]
    assert downs == sorted(downs)
    assert downs[0] < downs[2]


def test_after_a_storm_it_polls_at_once_what_waits() -> None:
    process = Process(wait=FAIR, waiting=25)
    for _ in range(20):
        process.refused()
        process.answered()
    assert process.rate < 1
    process.answered(3)
    assert process.rate >= 25 / EMPTY_LINE_SECONDS
    assert process.refusals_until_it_falls() == 1, "it is on trial"


def test_a_ceiling_that_is_raised_is_used_at_once_by_a_process_that_was_not_refused() -> None:
    process = Process(ceiling=2, wait=EARLY)
    process.answered(SLOW_START_RUN)
    assert process.rate == 2
    process.adaptive.ceiling = 8
    assert process.rate == 8
    process.adaptive.ceiling = 3
    assert process.rate == 3
