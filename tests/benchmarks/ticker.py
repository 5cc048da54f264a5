"""How late an event loop runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Ticker:
    """A coroutine that wakes every few milliseconds and notes how late that was at the worst.

    :param seconds: between two ticks.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late = self._busy = 0.0

    def take(self) -> tuple[float, float]:
        """Return the worst delay since the last time, in milliseconds, and the most CPU time that one took.

        The first can also come from other work on the machine, the second only from this process.
        """
        worst = self._late * 1000, self._busy * 1000
        self._late = self._busy = 0.0
        return worst

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            busy, due = time.process_time(), time.perf_counter() + self._seconds
            await asyncio.sleep(self._seconds)
            late, busy = time.perf_counter() - due, time.process_time() - busy
            self._late, self._busy = max(self._late, late), max(self._busy, min(late, busy))


@asynccontextmanager
async def ticking(seconds: float) -> AsyncIterator[Ticker]:
    """Have a ticker run meanwhile."""
    ticker = Ticker(seconds)
    task = asyncio.create_task(ticker.run())
    try:
        yield ticker
    finally:
        task.cancel()
