"""The emulator's log of requests, bounded: an emulator can run for weeks and be sent anything."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice

from airflow_provider_aegis.emulator.http import Received

LOG_LINES = 100_000
LOG_BYTES = 32 * 1024 * 1024
# What one line keeps of a request.
LONGEST_TEXT = 4096
MOST_PARAMS = 200
# About what a line's objects take besides its texts.
LINE_BYTES = 600


class RequestLog:
    """The latest requests, oldest first.

    :param most_lines: lines that are kept.
    :param most_bytes: memory that they may take, about.
    """

    def __init__(self, *, most_lines: int = LOG_LINES, most_bytes: int = LOG_BYTES) -> None:
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._lines: deque[tuple[int, Received]] = deque()
        self._bytes = 0

    def append(self, line: Received) -> None:
        """Add a line; the oldest ones go where there is no room for it."""
        size = LINE_BYTES + sum(sys.getsizeof(text) for pair in line.params.items() for text in pair)
        self._lines.append((size, line))
        self._bytes += size
        while len(self._lines) > self._most_lines or (self._bytes > self._most_bytes and len(self._lines) > 1):
            self._bytes -= self._lines.popleft()[0]

    def __iter__(self) -> Iterator[Received]:
        """Go through the lines, oldest first."""
        return (line for _, line in self._lines)


def cut(text: str) -> str:
    """Return a text, or the beginning of a long one."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def cut_params(params: Mapping[str, str]) -> dict[str, str]:
    """Return parameters, or of many and long ones the first and their beginnings."""
    return {cut(name): cut(value) for name, value in islice(params.items(), MOST_PARAMS)}
