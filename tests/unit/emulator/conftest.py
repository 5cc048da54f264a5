from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_aegis.emulator import Emulator, ManualClock
from tests.unit.emulator.support import Caller, make_caller


@pytest.fixture
def caller() -> Caller:
    return make_caller()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sas(clock: ManualClock) -> Iterator[Emulator]:
    """An emulator that serves, on which tasks take ten seconds of a clock that stands still."""
    with Emulator(seconds=10, clock=clock) as emulator:
        yield emulator
