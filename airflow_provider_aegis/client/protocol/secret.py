"""A holder for what must never be shown."""

from __future__ import annotations

import re
from typing import NoReturn

# A shorter secret may be a word of what is searched for it.
SHORTEST = 16

_PLAIN = re.compile(r"[A-Za-z0-9]+")


class Secret:
    """Text that only :meth:`reveal` shows.

    Whatever prints, logs, pickles or inspects an object, as error trackers do with the local variables of a traceback,
    finds ``***``. So reveal a secret as late as possible, and not into a variable that an error may find.

    :param text: the secret.
    """

    __slots__ = ("_mark", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._mark: bytes | None = None

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    @property
    def mark(self) -> bytes:
        """A part that stays the same however the secret is encoded, to search for; none if the secret is short."""
        if self._mark is None:
            text = self._text if len(self._text) >= SHORTEST else ""
            self._mark = (text if text.isalnum() else max(_PLAIN.findall(text), key=len, default="")).encode()
        return self._mark

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
