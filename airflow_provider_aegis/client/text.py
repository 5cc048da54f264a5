"""Text that came from outside, made fit for a log line."""

from __future__ import annotations

LONGEST = 500


def printable(value: object, longest: int = LONGEST) -> str:
    """Return a value's text on one line, control characters escaped, and cut where it is too long.

    :param longest: characters to keep.
    """
    text = str(value)
    if len(text) > longest:
        text = f"{text[:longest]}…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
