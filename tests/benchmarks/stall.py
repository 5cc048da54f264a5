"""For how long reads over TLS hold up everything else on their event loop."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from statistics import median
from typing import Any

from tests.benchmarks.clients import OURS, PEER, SDK, client_named, load_airflow
from tests.benchmarks.processes import Figures, emulator, once
from tests.benchmarks.scan import Scan
from tests.benchmarks.table import Row, table
from tests.benchmarks.ticker import ticking

RUNS = 5
READS = 10
TICK = 0.001


def stalls(client: str, scan: dict[str, Any]) -> Iterator[Figures]:
    """Yield the worst delays during the first reads of a process that has Airflow loaded, as a triggerer has."""
    load_airflow()
    yield asyncio.run(_stalls(client, Scan(**scan)))


async def _stalls(client: str, scan: Scan) -> Figures:
    from airflow_provider_aegis.triggers.base import TRANSPORT

    module = client_named(client)
    async with ticking(TICK) as ticker:
        await asyncio.sleep(0.2)
        idle, _ = ticker.take()
        if client == OURS:
            # As a trigger does it, the first time.
            await asyncio.to_thread(importlib.import_module, TRANSPORT)
        async with module.nonblocking(scan) as read:
            for _ in range(READS):
                await read()
                await asyncio.sleep(2 * TICK)
        worst, busy = ticker.take()
    return {"idle": idle, "worst": worst, "busy": busy}


def report() -> str:
    """Compare the stalls of fresh processes, which take turns."""
    with emulator(tls=True) as scan:
        runs = [(once(stalls, client=OURS, scan=scan), once(stalls, client=SDK, scan=scan)) for _ in range(RUNS)]
    ours, peer = ({name: [run[name] for run in figures] for name in figures[0]} for figures in zip(*runs, strict=True))
    return table(
        f"Event loop held up by the first {READS} reads over TLS, set-up included, in {RUNS} fresh processes, ms",
        PEER,
        [
            Row("worst of all", max(ours["worst"]), max(peer["worst"]), at_most=20),
            Row("median of each process's worst", median(ours["worst"]), median(peer["worst"]), at_most=20),
            Row("worst of all, the process's own CPU time", max(ours["busy"]), max(peer["busy"])),
            Row("median, the process's own CPU time", median(ours["busy"]), median(peer["busy"])),
            Row("worst of all with nothing to do", max(ours["idle"]), max(peer["idle"])),
            Row("median with nothing to do", median(ours["idle"]), median(peer["idle"])),
        ],
    )
