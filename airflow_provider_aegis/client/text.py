"""Text that came from outside, made fit for a log line."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

LONGEST = 500


def printable(value: object, longest: int = LONGEST) -> str:
    """Return a value's text on one line, control characters escaped, and cut where it is too long.

    :param longest: characters to keep.
    """
    text = str(value)[: longest + 1]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return text if len(text) <= longest else f"{text[:longest]}…"


def without(text: str, secrets: Iterable[str | None]) -> str:
    """Return a text with ``***`` in place of secrets, plain or percent-encoded: services repeat requests in errors."""
    for secret in filter(None, secrets):
        for form in (secret, quote(secret, safe="")):
            text = text.replace(form, "***")
    return text
