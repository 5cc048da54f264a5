"""Text that came from outside, made fit for a log line."""

from __future__ import annotations

LONGEST = 500


def printable(value: object, longest: int = LONGEST) -> str:
    """Return a value's text on one line, control characters escaped, and cut where it is too long.

    :param longest: characters to keep.
    """
    text = str(value)[: longest + 1]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return text if len(text) <= longest else f"{text[:longest]}…"
