"""CPU time of one signed read of a scan's status, in a process that has Airflow loaded as all that make them have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from statistics import median
from typing import Any

from tests.benchmarks.clients import OURS, PEER, SDK, client_named, load_airflow
from tests.benchmarks.processes import Probe, Steps, emulator
from tests.benchmarks.scan import Scan
from tests.benchmarks.table import Row, table

ROUNDS = 7
BATCH_SECONDS = 0.2


def sync_reads(client: str, scan: dict[str, Any]) -> Iterator[float]:
    """Yield the CPU milliseconds of one read, over and over."""
    load_airflow()
    with client_named(client).blocking(Scan(**scan)) as read:
        read()
        while True:
            calls, began = 0, time.process_time()
            while (spent := time.process_time() - began) < BATCH_SECONDS:
                read()
                calls += 1
            yield spent / calls * 1000


def async_reads(client: str, scan: dict[str, Any]) -> Iterator[float]:
    """Yield the CPU milliseconds of one read on an event loop, over and over."""

    async def batch(read: Callable[[], Awaitable[object]]) -> float:
        calls, began = 0, time.process_time()
        while (spent := time.process_time() - began) < BATCH_SECONDS:
            await read()
            calls += 1
        return spent / calls * 1000

    load_airflow()
    with asyncio.Runner() as runner:
        opened = client_named(client).nonblocking(Scan(**scan))
        read = runner.run(opened.__aenter__())
        try:
            runner.run(batch(read))
            while True:
                yield runner.run(batch(read))
        finally:
            runner.run(opened.__aexit__(None, None, None))


def rounds(steps: Steps, scan: Scan) -> tuple[float, float]:
    """Return the medians of both clients, which take turns."""
    with Probe(steps, client=OURS, scan=scan) as ours, Probe(steps, client=SDK, scan=scan) as peer:
        pairs = [(ours.step(), peer.step()) for _ in range(ROUNDS)]
    return median(mine for mine, _ in pairs), median(theirs for _, theirs in pairs)


def sync_report() -> str:
    """Compare blocking reads."""
    with emulator() as scan:
        plain = rounds(sync_reads, scan)
    with emulator(tls=True) as scan:
        tls = rounds(sync_reads, scan)
    return table(
        "One blocking read, CPU ms",
        PEER,
        [Row("plain HTTP", *plain, ratio_at_most=1.0), Row("TLS", *tls, ratio_at_most=1.0)],
    )


def async_report() -> str:
    """Compare reads on an event loop."""
    with emulator() as scan:
        plain = rounds(async_reads, scan)
    with emulator(tls=True) as scan:
        tls = rounds(async_reads, scan)
    return table(
        "One read on an event loop, CPU ms",
        PEER,
        [Row("plain HTTP", *plain, ratio_at_most=0.35), Row("TLS", *tls)],
    )
