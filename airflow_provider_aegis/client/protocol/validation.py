"""What callers and connections hand in, refused by name where it is not what it should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches

from airflow_provider_aegis.client.errors import ConfigurationError

# Beyond it clocks and dates overflow.
CENTURY = 100 * 365 * 86400


def as_text(name: str, value: object) -> str:
    """Return a text as it is.

    :param name: of the argument or field, as the error is to have it.
    :raises ConfigurationError: if it is anything else; a template or a connection in JSON can make anything of it.
    """
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"{name} must be a string, not {type(value).__name__}.")


def check_text(name: str, value: object) -> str:
    """Return an argument's text, stripped.

    :raises ConfigurationError: if it is not a string, empty, or what a template makes of an XCom that was ``None``.
    """
    text = "" if value is None else as_text(name, value).strip()
    if text in ("", "None"):
        raise ConfigurationError(
            f"{name} is empty. If it comes from an XCom, see whether the task that should have pushed it ran and did."
        )
    return text


def optional_text(name: str, value: object) -> str | None:
    """Return a text as it is, or ``None`` where there is none; a template makes ``"None"`` of an argument that is none.

    :raises ConfigurationError: if it is neither.
    """
    text = "" if value is None else as_text(name, value)
    return None if text.strip() in ("", "None") else text


def as_number(name: str, value: object, *, least: float, most: float) -> float:
    """Return a number or its text as a number.

    :param name: of the argument or field, as the error is to have it.
    :raises ConfigurationError: if it is anything else, or not from the least to the most.
    """
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not least <= number <= most:
        raise ConfigurationError(f"{name} must be a number from {least:g} to {most:g}, not {value!r:.40}.")
    return number


def check_known(name: str, known: Sequence[str], *, what: str) -> None:
    """Refuse a name that is not among the known ones; its value is not shown.

    :param known: what there is.
    :param what: what the name is one of, as the error is to have it.
    :raises ConfigurationError: if it is not known; says which one was likely meant.
    """
    if name in known:
        return
    near = get_close_matches(name.rpartition("__")[2], known, n=1)  # `extra__aegis__region` is region
    todo = f"write {near[0]!r}" if near else f"remove it, there are {', '.join(known)}"
    raise ConfigurationError(f"{what} {name!r:.60} is not known: {todo}.")


def plain_seconds(value: object) -> object:
    """Return a timedelta as its seconds, and anything else as it is."""
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
    """Return a number of seconds or a timedelta as seconds.

    :param name: of the argument, as the error is to have it.
    :param zero: whether it may be 0.
    :raises ConfigurationError: if it is anything else, negative, not finite, or more than a century.
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
