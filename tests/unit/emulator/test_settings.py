from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from airflow_provider_aegis.emulator.settings import Settings, changed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", 2),
        ("seconds", 0.25),
        ("outcome", "NEVER_HEARD_OF"),
        ("running_limit", 3),
        ("repeat_check", "off"),
        ("counts_as_text", True),
        ("running_status", "PONDERING"),
        ("running_status", None),
        ("clock_skew", -3600),
        ("total_count", 2**31 - 1),
    ],
)
def test_a_value_of_the_right_kind_is_taken(name: str, value: Any) -> None:
    assert getattr(changed(Settings(), **{name: value}), name) == value


def test_a_list_as_json_has_it_becomes_a_tuple() -> None:
    assert changed(Settings(), denied=["CancelOnceTask"]).denied == ("CancelOnceTask",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "5"),
        ("seconds", True),
        ("outcome", None),
        ("running_limit", 2.5),
        ("repeat_check", "param"),
        ("task_info", None),
        ("counts_as_text", 1),
        ("running_status", 3),
        ("denied", "CancelOnceTask"),
        ("denied", [1]),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
        ("seconds", -1),
        ("seconds", 1e300),
        ("collection_period", float("nan")),
        ("unknown_for", -0.5),
        ("clock_skew", float("-inf")),
        ("clock_skew", float("nan")),
        ("running_limit", -1),
        ("total_count", 2**31),
        ("requests_per_second", -1),
        ("count_overshoot", -1),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"the setting {name} cannot be"):
        changed(Settings(), **{name: value})
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value}
    with pytest.raises(ValueError, match=f"the setting {name} cannot be"):
        Settings(**given)


def test_it_says_which_numbers_there_are() -> None:
    with pytest.raises(ValueError, match=r"cannot be nan: it is of the kind float from 0 to 3153600000$"):
        changed(Settings(), seconds=float("nan"))


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ValueError, match=r"'second' is not a setting; there are: seconds, outcome, "):
        changed(Settings(), second=1)


def test_what_is_not_changed_stays() -> None:
    assert changed(Settings(seconds=1.5), outcome="FAIL") == Settings(seconds=1.5, outcome="FAIL")


def test_every_setting_is_explained() -> None:
    explained = re.findall(r":param (\w+):", Settings.__doc__ or "")
    assert explained == [setting.name for setting in fields(Settings)]
