"""Flows performed at the same time with blocking means: a thread and a connection for each that is under way."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from airflow_provider_aegis.client.flows.commands import Flow

# If answers take a second, so many threads make eight requests a second.
MOST_THREADS = 8


class Performer(Protocol):
    """A transport for one thread."""

    def run_flow(self, flow: Flow[Any], /) -> Any:
        """Carry a flow through and return what it returns."""


def perform(flows: Sequence[Flow[Any]], performers: Sequence[Performer]) -> list[Any]:
    """Perform flows in their order, the first performer in this thread and each other one in a thread of its own.

    If this thread is interrupted, each of the others ends after the flow that it is at.

    :return: what each flow returned or raised; ``None`` for one that was not begun after an error.
    """
    outcomes: list[Any] = [None] * len(flows)
    left, lock, over = iter(enumerate(flows)), threading.Lock(), threading.Event()

    def work(performer: Performer) -> None:
        while not over.is_set():
            with lock:
                taken = next(left, None)
            if taken is None:
                return
            number, flow = taken
            try:
                outcomes[number] = performer.run_flow(flow)
            except Exception as error:  # noqa: BLE001  (it is raised where the outcomes are read)
                outcomes[number] = error
                over.set()

    threads = [threading.Thread(target=work, args=(one,), name="aegis read", daemon=True) for one in performers[1:]]
    try:
        for thread in threads:
            thread.start()
        work(performers[0])
        for thread in threads:
            thread.join()
    finally:
        over.set()
    return outcomes
