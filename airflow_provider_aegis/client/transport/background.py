"""Blocking work that has no time-out of its own, in a daemon thread that is abandoned when time is up.

The look-up of a host name, or a read from a mount that is gone, can hang for minutes. Such work has a thread of its
own: an event loop has few threads, and waits for them when it ends. Work that hangs is not started a second time; the
next caller waits for the first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_under_way: dict[tuple[int, Hashable], Future[Any]] = {}


def in_background(key: Hashable, work: Callable[[], T]) -> Future[T]:
    """Start some work, unless the same work is running.

    :param key: identifies the work.
    :return: its future; wait with ``result(timeout=...)`` or ``asyncio.wrap_future``.
    """
    mine: Future[T] = Future()
    mine.set_running_or_notify_cancel()  # one caller cannot cancel it for the others
    known = os.getpid(), key  # the threads of its parent do not run in a forked process
    shared = _under_way.setdefault(known, mine)  # one step, as a signal handler may do the same meanwhile
    if shared is mine:

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  (it is raised where it is waited for)
                del _under_way[known]
                mine.set_exception(error)
            else:
                del _under_way[known]
                mine.set_result(result)

        try:
            threading.Thread(target=run, name=f"aegis {key}", daemon=True).start()
        except RuntimeError:  # no more threads, as when the interpreter shuts down
            run()
    return shared
