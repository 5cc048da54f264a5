"""Many processes that poll for one account and know nothing of each other, as they are: real ones, against an emulator.

``fleet_simulation.py`` plays the same with a clock that jumps.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.rate_limit import RateLimiter
from airflow_provider_aegis.client.flows.wait import wait as wait_flow
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge
from airflow_provider_aegis.emulator.control import Control
from airflow_provider_aegis.emulator.faults import Fault
from tests.benchmarks.fleet_simulation import POLL_INTERVAL, Unadapted, limited_by
from tests.benchmarks.ours import read_of, service_of
from tests.benchmarks.processes import Figures, Probe, emulator
from tests.benchmarks.scan import Scan
from tests.benchmarks.table import Row, table

PROCESSES, QUOTA, CEILING = 16, 10, 5.0
RETRY_AFTER = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens to the waits, seconds after they have begun.

    :param waits: of each process.
    :param ends: when the scan is over.
    :param storm: until when half of the answers are refusals besides those for the quota.
    """

    waits: int
    ends: float
    storm: float = 0.0


OVERLOAD, STORM = Plan(waits=25, ends=40.0), Plan(waits=5, ends=20.0, storm=45.0)


class Count:
    """Counts what a rate limiter takes note of."""

    refused = answers = 0

    def throttled(self, wait: float, action: str = "") -> None:
        Count.refused += 1
        super().throttled(wait, action)  # type: ignore[misc]

    def answered(self) -> None:
        Count.answers += 1
        super().answered()  # type: ignore[misc]


class Adapted(Count, RateLimiter):
    """Ours."""


class Peer(Count, Unadapted):
    """Keeps to its own ceiling, obeys the service's pauses, and learns nothing."""


KINDS: dict[str, type[RateLimiter]] = {"ours": Adapted, "peer": Peer}


def waits(kind: str, scan: dict[str, Any], count: int, seed: int) -> Iterator[Figures]:
    """Yield once all is imported; then wait for the scan so many times over, and yield how that went."""
    from airflow_provider_aegis.client.transport import nonblocking

    yield {}
    with limited_by(KINDS[kind]):
        asyncio.run(_wait_all(nonblocking, Scan(**scan), count, random.Random(seed)))
    yield {"last": time.time(), "refused": Count.refused, "requests": Count.refused + Count.answers}


async def _wait_all(transport: Any, scan: Scan, count: int, rng: random.Random) -> None:
    async def wait(first_delay: float) -> None:
        config = replace(service_of(scan), max_requests_per_second=CEILING, rng=rng)
        pace = PollInterval(POLL_INTERVAL, POLL_INTERVAL)
        async with transport.open_transport(config) as connection:
            await connection.run_flow(
                wait_flow(config, read_of(scan), judge=OnceTaskJudge(), poll_interval=pace, first_delay=first_delay)
            )

    async with asyncio.TaskGroup() as waiting:
        for _ in range(count):
            waiting.create_task(wait(rng.uniform(0, POLL_INTERVAL)))


def measure(kind: str, plan: Plan) -> Figures:
    """Have the processes wait, and say how that went."""
    with emulator() as scan, ExitStack() as stack:
        control = Control(f"{scan.scheme}://{scan.host}")
        control.set(requests_per_second=QUOTA)
        processes = [
            stack.enter_context(Probe(waits, kind=kind, scan=scan, count=plan.waits, seed=seed))
            for seed in range(PROCESSES)
        ]
        for process in processes:
            process.step()
        with ThreadPoolExecutor(PROCESSES) as pool:
            results = [pool.submit(process.step) for process in processes]
            if plan.storm:
                control.inject("*", Fault.throttled(retry_after=RETRY_AFTER), seconds=plan.storm, probability=0.5)
            time.sleep(plan.ends)
            control.finish(scan.task_id)
            ended = time.time()
            seen = [result.result() for result in results]
    requests = sum(one["requests"] for one in seen)
    return {
        "refused": 100 * sum(one["refused"] for one in seen) / requests,
        "requests": requests,
        "late": max(one["last"] for one in seen) - ended,
    }


def report() -> str:
    """Compare the two, at the same time and each with a service of its own."""
    with ThreadPoolExecutor(2) as pool:
        ours, peer = pool.map(lambda kind: measure(kind, OVERLOAD), KINDS)
        our_storm, peer_storm = pool.map(lambda kind: measure(kind, STORM), KINDS)
    after = STORM.storm - STORM.ends
    return table(
        f"{PROCESSES} processes on one quota of {QUOTA} requests a second, each wait asking every {POLL_INTERVAL:g} s",
        f"the same waits with a rate that is not learnt, {CEILING:g} a second in each process",
        [
            Row(f"{OVERLOAD.waits} waits each: refused, %", ours["refused"], peer["refused"], at_most=10),
            Row("last end seen, s after it", ours["late"], peer["late"], at_most=60),
            Row("requests", ours["requests"], peer["requests"]),
            Row(
                f"{STORM.waits} waits each, half refused for {STORM.storm:g} s: last end seen, s after that",
                our_storm["late"] - after,
                peer_storm["late"] - after,
                at_most=2 * POLL_INTERVAL,
            ),
            Row("requests", our_storm["requests"], peer_storm["requests"]),
        ],
    )
