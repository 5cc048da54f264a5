from __future__ import annotations

import pytest

from airflow_provider_aegis.client.flows import exchange, rate_limit


@pytest.fixture(autouse=True)
def _impatient() -> None:
    """Elsewhere back-offs take no time; here they are what is tested, and the clock is a fake."""


@pytest.fixture(autouse=True)
def _forget_what_the_process_learnt() -> None:
    """Clock offsets and request budgets outlive a call; no test may see those of another."""
    for memory in (exchange.clock_offsets, exchange.seen_offsets, rate_limit._limiters):
        memory.clear()
