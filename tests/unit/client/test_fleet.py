"""Many processes on one quota, and a storm of refusals: the promises hold in a play of the real flows."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.rate_limit import RateLimiter
from tests.benchmarks.fleet_simulation import SCENARIOS, Unadapted, limited_by, play

# What the quota alone needs for one read of each wait: 400 waits at 10 requests a second.
QUOTA_SECONDS = 40


@pytest.mark.parametrize("seed", [1, 2])
def test_processes_that_ask_for_four_times_their_quota_share_it(seed: int) -> None:
    with limited_by(RateLimiter):
        ours = play(SCENARIOS["overload"], seed=seed)
    assert ours.refused < 0.3
    assert ours.last < 1.5 * QUOTA_SECONDS


def test_the_end_of_a_storm_is_seen() -> None:
    scenario = SCENARIOS["storm"]
    with limited_by(RateLimiter):
        ours = play(scenario, seed=1)
    assert ours.last < scenario.storm_until - scenario.ends + 3 * 10.0


def test_without_trouble_an_end_is_seen_within_a_poll() -> None:
    with limited_by(RateLimiter):
        result = play(SCENARIOS["no trouble"], seed=1)
    assert result.refused == 0
    assert result.last < 11


def test_a_process_that_does_not_adapt_is_refused_twice_as_often() -> None:
    with limited_by(RateLimiter):
        ours = play(SCENARIOS["overload"], seed=1)
    with limited_by(Unadapted):
        theirs = play(SCENARIOS["overload"], seed=1)
    assert theirs.refused > 2 * ours.refused
