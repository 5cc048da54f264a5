"""Checks of arguments and connection fields; the errors name the argument or the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches

from airflow_provider_aegis.client.errors import ConfigurationError

# Clocks and dates overflow beyond it.
CENTURY = 100 * 365 * 86400


def as_text(name: str, value: object) -> str:
    """Check that a value is a string, and return it.

    :param name: the name of the argument or field, for the error.
    :raises ConfigurationError: if it is not a string; a template or a connection in JSON can produce any type.
    """
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"{name} must be a string, not {type(value).__name__}.")


def check_text(name: str, value: object) -> str:
    """Check that an argument is a string that is not empty, and return it stripped.

    :raises ConfigurationError: if it is not a string, is empty, or is the ``"None"`` that a template makes of ``None``.
    """
    text = "" if value is None else as_text(name, value).strip()
    if text in ("", "None"):
        raise ConfigurationError(
            f"{name} is empty. If it comes from an XCom, check that the task that pushes it has run and pushed it."
        )
    return text


def optional_text(name: str, value: object) -> str | None:
    """Check that a value is a string or ``None``, and return it.

    :return: ``None`` also for an empty string and for ``"None"``, which a template makes of ``None``.
    :raises ConfigurationError: if it is of another type.
    """
    text = "" if value is None else as_text(name, value)
    return None if text.strip() in ("", "None") else text


def as_number(name: str, value: object, *, least: float, most: float) -> float:
    """Check that a value is a number, or the text of one, and return the number.

    :param name: the name of the argument or field, for the error.
    :raises ConfigurationError: if it is not a number, or not between ``least`` and ``most``.
    """
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not least <= number <= most:
        raise ConfigurationError(f"{name} must be a number from {least:g} to {most:g}, not {value!r:.40}.")
    return number


def check_known(name: str, known: Sequence[str], *, what: str) -> None:
    """Check that a name is a known one; its value is not shown.

    :param known: the known names.
    :param what: what the name stands for, for the error.
    :raises ConfigurationError: if it is not known; the text suggests the nearest one.
    """
    if name in known:
        return
    near = get_close_matches(name.rpartition("__")[2], known, n=1)  # `extra__aegis__region` means region
    todo = f"write {near[0]!r}" if near else f"remove it; the known ones are {', '.join(known)}"
    raise ConfigurationError(f"{what} {name!r:.60} is not known: {todo}.")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """See that an argument is one of a closed set.

    :raises ValueError: if it is not; the text names the argument and the choices.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")


def plain_seconds(value: object) -> object:
    """Return the seconds of a timedelta, and any other value unchanged."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def parse_seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Return what a template made of a number of seconds; see :func:`as_seconds`.

    :raises ConfigurationError: also if it is text that is not a number.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise ConfigurationError(
                f"{name} must be a number of seconds, as 3600, or a template that gives one, not {value!r:.40}."
            ) from error
    return as_seconds(name, value, zero=zero)


def as_seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Check a number of seconds or a timedelta, and return the seconds.

    :param name: the name of the argument, for the error.
    :param zero: whether 0 is allowed.
    :raises ConfigurationError: if it is of another type, negative, not finite, or more than a century.
    """
    seconds = plain_seconds(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigurationError(
            f"{name} must be a number of seconds or a timedelta, as 30 or timedelta(seconds=30), "
            f"not {type(value).__name__}."
        )
    if (seconds > 0 or (zero and seconds == 0)) and seconds <= CENTURY:
        return float(seconds)
    least = "at least 0" if zero else "more than 0"
    given = f"{seconds:g}" if isinstance(seconds, float) or abs(seconds) < CENTURY else "more than a century"
    raise ConfigurationError(f"{name} must be {least} seconds and at most a century, not {given}.")
