"""A clock that moves when it is told to, for tests that do not want to wait."""

from __future__ import annotations

import threading
import time


class ManualClock:
    """Give it to an emulator and its tasks stand still until :meth:`advance` is called.

    It begins at the present, because requests are signed with the time of day and refused when that is far off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._time = time.time()
        self._monotonic = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._time

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass.

        :param seconds: how much of it.
        """
        with self._lock:
            self._time += seconds
            self._monotonic += seconds
