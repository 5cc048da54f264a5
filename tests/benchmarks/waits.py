"""A thousand waits for a scan in one process, which has Airflow loaded as a triggerer has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from airflow_provider_aegis.emulator.control import Control
from tests.benchmarks.clients import OURS, PEER, SDK, client_named, load_airflow, resident
from tests.benchmarks.processes import Figures, emulator, once
from tests.benchmarks.scan import Scan
from tests.benchmarks.table import Row, table
from tests.benchmarks.ticker import ticking

WAITS = 1000
ROUNDS = 10
# The SDK's process has nearly a whole core to itself; a few rounds tell as much.
PEER_ROUNDS = 3
INTERVAL = 2.0
# A triggerer takes up no more new triggers at once.
AT_ONCE = 50
TICK = 0.005


def waits(client: str, scan: dict[str, Any], rounds: int) -> Iterator[Figures]:
    """Yield what it takes to wait for a scan so many times over."""
    load_airflow()
    yield asyncio.run(_waits(client, Scan(**scan), rounds))


async def _waits(client: str, scan: Scan, rounds: int) -> Figures:
    module, control = client_named(client), Control(f"{scan.scheme}://{scan.host}")
    async with module.nonblocking(scan) as read:
        await read()
    asked, memory, began = control.requests.total(), resident(), time.process_time()
    async with ticking(TICK) as ticker, asyncio.TaskGroup() as waiting:
        for index in range(WAITS):
            first_delay = INTERVAL * index / WAITS
            waiting.create_task(module.wait(scan, first_delay=first_delay, interval=INTERVAL))
            if index % AT_ONCE == 0:
                await asyncio.sleep(TICK)
        stalls = [ticker.take()]
        for _ in range(rounds):
            await asyncio.sleep(INTERVAL)
            stalls.append(ticker.take())
        grown = resident() - memory
        await asyncio.to_thread(control.finish, scan.task_id)
    polls = control.requests.total() - asked
    return {
        "cpu": (time.process_time() - began) / polls * 1000,
        "memory": grown / WAITS * 1000,
        "worst": max(late for late, _ in stalls),
        "median": median(late for late, _ in stalls),
        "busy": max(busy for _, busy in stalls),
    }


def report() -> str:
    """Compare the two."""
    with emulator() as scan:
        ours = once(waits, client=OURS, scan=scan, rounds=ROUNDS)
    with emulator() as scan:
        peer = once(waits, client=SDK, scan=scan, rounds=PEER_ROUNDS)
    return table(
        f"{WAITS} waits in one process over plain HTTP, each asking every {INTERVAL:g} s for {ROUNDS} rounds",
        f"{PEER}, for {PEER_ROUNDS} rounds",
        [
            Row("CPU for each poll, ms", ours["cpu"], peer["cpu"]),
            Row("memory for each wait, kB", ours["memory"], peer["memory"]),
            Row("event loop held up, worst of all, ms", ours["worst"], peer["worst"]),
            Row("median of each round's worst, ms", ours["median"], peer["median"]),
            Row("worst of all, the process's own CPU time, ms", ours["busy"], peer["busy"]),
        ],
    )
