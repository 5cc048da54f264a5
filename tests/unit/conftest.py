"""An emulator without limits on its pace, a connection to it, and clients that do not wait."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from airflow_provider_aegis.client.flows import adaptive_rate, exchange, find_submitted, rate_limit, submit
from airflow_provider_aegis.emulator import Emulator
from tests.unit.airflow_task import FakeTask


@pytest.fixture(scope="session", autouse=True)
def _collect_only_what_tests_make() -> None:
    """Airflow is so large that a full garbage collection, as some tests need one, takes a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def sas(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A Security Center on which a scan runs until the test ends it."""
    with Emulator(seconds=3600, requests_per_second=0) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", emulator.connection_json(max_requests_per_second=100))
        yield emulator


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> FakeTask:
    """What Airflow keeps of one task across its tries."""
    return FakeTask(monkeypatch)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs and rates take no time, and nothing is remembered from the test before."""
    monkeypatch.setattr(exchange, "FIRST_BACKOFF", 0.0)
    monkeypatch.setattr(adaptive_rate, "START_SHARE", 1.0)
    monkeypatch.setattr(adaptive_rate, "LOWEST_RATE", 100.0)
    monkeypatch.setattr(find_submitted, "SEARCH_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(exchange, "RETRY_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(submit, "SHORTEST_VACANCY_DELAY_SECONDS", 0.02)
    exchange.clock_offsets.clear()
    exchange.seen_offsets.clear()
    rate_limit._limiters.clear()
