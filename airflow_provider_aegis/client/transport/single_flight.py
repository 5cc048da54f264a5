"""Single flight: callers on one event loop that want the same work at the same time share it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The running work; each call that comes before it is done shares it. Results are not cached."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, asyncio.Task[T]]] = (
            weakref.WeakKeyDictionary()
        )

    async def do(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the work returns, or raise what it raises. Cancelling one caller does not cancel the shared work.

        :param key: identifies the work.
        """
        under_way = self._loops.setdefault(asyncio.get_running_loop(), {})
        if key not in under_way:

            def forget(task: asyncio.Task[T]) -> None:
                del under_way[key]
                if not task.cancelled():
                    task.exception()  # otherwise asyncio logs an error that no caller retrieves

            under_way[key] = asyncio.create_task(work())
            under_way[key].add_done_callback(forget)
        return await asyncio.shield(under_way[key])
