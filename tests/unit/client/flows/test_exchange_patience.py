"""How long a call is tried again: one series of attempts, or series after series until the deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_aegis.client.errors import OutcomeUnknownError, PermissionDeniedError, ServiceError
from airflow_provider_aegis.client.flows import exchange as flows
from airflow_provider_aegis.client.flows.exchange import MAX_ATTEMPTS, Patience, exchange
from airflow_provider_aegis.client.protocol.operations import call
from tests.fakes import BROKEN, OK, READ, Stage, config, failure, stage

DENIED = failure("NoPermission", 403)


@pytest.fixture(autouse=True)
def _pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "FIRST_BACKOFF", 0.0)


def ask(it: Stage, patience: Patience, deadline: float | None = 100.0) -> None:
    it.run_flow(exchange(it.config, READ, deadline=deadline, patience=patience))


def test_it_is_one_series_of_attempts_where_nothing_is_said() -> None:
    it = stage(*[BROKEN] * 99)
    with pytest.raises(ServiceError):
        it.run_flow(exchange(it.config, READ, deadline=100.0))
    assert len(it.sent) == MAX_ATTEMPTS


def test_it_goes_on_until_the_service_is_back(caplog: pytest.LogCaptureFixture) -> None:
    it = stage(*[BROKEN] * 3 * MAX_ATTEMPTS, OK)
    ask(it, Patience.DEADLINE)
    assert it.slept.count(15.0) == 3
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_it_gives_up_when_the_deadline_passes_before_the_next_series() -> None:
    it = stage(*[BROKEN] * 99)
    with pytest.raises(ServiceError):
        ask(it, Patience.DEADLINE, deadline=50.0)
    assert it.clock.now == 45.0
    assert it.slept.count(15.0) == 3


def test_without_a_deadline_it_is_one_series() -> None:
    it = stage(*[BROKEN] * 99)
    with pytest.raises(ServiceError):
        ask(it, Patience.DEADLINE, deadline=None)
    assert len(it.sent) == MAX_ATTEMPTS


def test_an_error_that_asking_again_cannot_change_ends_it() -> None:
    it = stage(DENIED)
    with pytest.raises(PermissionDeniedError):
        ask(it, Patience.DEADLINE)


def test_even_that_is_tried_again_on_demand() -> None:
    it = stage(DENIED, OK)
    ask(it, Patience.EVERY_ERROR)
    assert it.slept == [15.0]


def test_a_write_is_sent_again_only_if_its_call_says_that_it_may() -> None:
    write = call("CreateBackup", ClientToken="t")
    with pytest.raises(OutcomeUnknownError):
        stage(BROKEN).run_flow(exchange(config(), write))
    it = stage(BROKEN, OK)
    it.run_flow(exchange(it.config, replace(write, repeatable=True)))
    assert len(it.sent) == 2
