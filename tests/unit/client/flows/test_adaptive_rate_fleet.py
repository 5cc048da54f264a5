"""Many processes on one quota, and a storm of refusals: the promises hold in a play of the real flows."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.flows.rate_limit import RateLimiter
from tests.benchmarks.fleet_simulation import POLL_INTERVAL, SCENARIOS, Result, Unadapted, limited_by, play


def ours(name: str, seed: int) -> Result:
    with limited_by(RateLimiter):
        return play(SCENARIOS[name], seed=seed)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["overload", "overload, few processes"])
def test_processes_that_ask_for_four_times_their_quota_share_it(name: str, seed: int) -> None:
    """The quota alone needs 40 s for one read of each wait; the play is noisier than a machine that has time."""
    result = ours(name, seed)
    assert result.refused <= 0.12
    assert result.last <= 60


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["storm", "storm over a fleet", "storm after calm"])
def test_what_ended_in_a_storm_is_seen_within_two_polls_after_it(name: str, seed: int) -> None:
    scenario = SCENARIOS[name]
    assert ours(name, seed).last <= scenario.storm_until - scenario.ends + 2 * POLL_INTERVAL


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_few_refusals_a_single_process_serves_all_its_waits_within_two_polls(seed: int) -> None:
    assert ours("short trouble", seed).last <= 2 * POLL_INTERVAL


def test_without_trouble_an_end_is_seen_within_a_poll() -> None:
    result = ours("no trouble", seed=1)
    assert result.refused == 0
    assert result.last < POLL_INTERVAL * 1.1


def test_a_process_that_does_not_adapt_is_refused_several_times_as_often() -> None:
    with limited_by(Unadapted):
        theirs = play(SCENARIOS["overload"], seed=1)
    assert theirs.refused > 4 * ours("overload", seed=1).refused
