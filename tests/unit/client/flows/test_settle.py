"""A count is looked at until two looks agree or the time is up, and which of the two it was is said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest

from airflow_provider_aegis.client.errors import ServiceError
from airflow_provider_aegis.client.flows.commands import Flow, Sleep
from airflow_provider_aegis.client.flows.settle import Settled, settle
from tests.fakes import stage


def looks_at(counts: Sequence[int], seconds: float = 0.0) -> Callable[[], Flow[int]]:
    left = iter(counts)

    def look() -> Flow[int]:
        yield Sleep(seconds)
        return next(left)

    return look


@pytest.mark.parametrize(
    ("counts", "longest", "settled"),
    [
        ([5, 5], 300, Settled(True, (5, 5), 60)),
        ([0, 3, 7, 7], 300, Settled(True, (0, 3, 7, 7), 180)),
        ([0, 1, 2, 3, 4, 5], 300, Settled(False, (0, 1, 2, 3, 4, 5), 300)),
        ([0, 1, 1], 90, Settled(True, (0, 1, 1), 90)),
        ([0, 1, 2], 90, Settled(False, (0, 1, 2), 90)),
        ([4], 0, Settled(False, (4,), 0)),
    ],
)
def test_looks_end_when_two_agree_or_the_time_is_up(counts: list[int], longest: float, settled: Settled) -> None:
    here = stage()
    assert here.run_flow(settle(here.config, looks_at(counts), longest=longest)) == settled


def test_the_time_that_looks_take_counts() -> None:
    here = stage()
    settled = here.run_flow(settle(here.config, looks_at(range(9), seconds=50), pause=60, longest=150))
    assert settled == Settled(False, (0, 1), 160)


@pytest.mark.parametrize(
    ("counts", "level", "text"),
    [
        ([1, 1], logging.INFO, "The count stood still after 60 s (1, 1)."),
        ([1, 2, 3], logging.WARNING, "The count still moved when the time was up after 90 s (1, 2, 3)."),
    ],
)
def test_how_it_ended_is_said(counts: list[int], level: int, text: str, caplog: pytest.LogCaptureFixture) -> None:
    here = stage()
    with caplog.at_level(logging.INFO):
        here.run_flow(settle(here.config, looks_at(counts), longest=90))
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, text)]


def test_a_look_that_fails_fails_the_wait() -> None:
    def failing() -> Flow[int]:
        raise ServiceError("away")
        yield Sleep(0)

    here = stage()
    with pytest.raises(ServiceError):
        here.run_flow(settle(here.config, failing))
