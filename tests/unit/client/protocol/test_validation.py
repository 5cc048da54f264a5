"""Seconds as people write them: a number or a timedelta, and everything else refused by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.validation import CENTURY, as_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(30, 30), (0.25, 0.25), (timedelta(minutes=2), 120), (timedelta(milliseconds=5), 0.005), (CENTURY, CENTURY)],
)
def test_a_number_and_a_timedelta_are_seconds(value: Any, seconds: float) -> None:
    given = as_seconds("poll_interval", value)
    assert (given, type(given)) == (seconds, float)


@pytest.mark.parametrize("value", ["30", "30s", "", None, True, [30], {"seconds": 30}, 3 + 0j])
def test_what_is_no_number_is_refused_by_name_and_told_what_to_write(value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(ConfigurationError, match=rf"^poll_interval must be .*timedelta\(seconds=30\), not {kind}\.$"):
        as_seconds("poll_interval", value)


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (0, "0"),
        (0.0, "0"),
        (-1, "-1"),
        (timedelta(seconds=-5), "-5"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (CENTURY + 1, "more than a century"),
        (1e300, "1e\\+300"),
        (10**5000, "more than a century"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) or value < 10**9 else "large",
)
def test_what_is_not_a_span_of_time_is_refused_by_name(value: Any, given: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"^timeout must be more than 0 seconds and at most a century, not {given}\.$"
    ):
        as_seconds("timeout", value)


@pytest.mark.parametrize("value", [0, 0.0, timedelta(0)])
def test_no_time_at_all_is_taken_where_it_has_a_meaning(value: Any) -> None:
    assert as_seconds("first_poll_delay", value, zero=True) == 0
    with pytest.raises(ConfigurationError, match=r"^first_poll_delay must be at least 0 seconds"):
        as_seconds("first_poll_delay", -1, zero=True)
