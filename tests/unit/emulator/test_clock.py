from __future__ import annotations

import time

from airflow_provider_aegis.emulator.clock import ManualClock


def test_it_begins_at_the_present_and_moves_only_when_told() -> None:
    clock = ManualClock()
    assert abs(clock.time() - time.time()) < 5
    first, began = clock.time(), clock.monotonic()
    assert (clock.time(), clock.monotonic()) == (first, began)
    clock.advance(2.5)
    assert (clock.time() - first, clock.monotonic() - began) == (2.5, 2.5)
