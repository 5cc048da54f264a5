"""A holder for what must never be shown."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Text that only :meth:`reveal` shows.

    Whatever prints, logs, pickles or inspects an object, as error trackers do with the local variables of a traceback,
    finds ``***``. So reveal a secret as late as possible, and not into a variable that an error may find.

    :param text: the secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

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
