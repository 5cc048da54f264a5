"""What many on one event loop want at the same time, done once for all of them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Work under way, shared by those who ask for it before it is done; nothing of it is kept afterwards."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, asyncio.Task[T]]] = (
            weakref.WeakKeyDictionary()
        )

    async def do(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the work returns, or raise what it raises; who is cancelled meanwhile leaves it to the others.

        :param key: what makes it the same work.
        """
        under_way = self._loops.setdefault(asyncio.get_running_loop(), {})
        if key not in under_way:

            def forget(task: asyncio.Task[T]) -> None:
                del under_way[key]
                if not task.cancelled():
                    task.exception()  # else asyncio complains if all who wanted it are gone

            under_way[key] = asyncio.create_task(work())
            under_way[key].add_done_callback(forget)
        return await asyncio.shield(under_way[key])
