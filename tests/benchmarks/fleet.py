"""Sixteen processes that wait on one account and ask for four times its quota; the peer adapts to no refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

from airflow_provider_aegis.client.watch import watch
from tests.benchmarks.ours import read_of, service_of
from tests.benchmarks.processes import Figures, once
from tests.benchmarks.scan import KIND, Scan
from tests.benchmarks.table import Row, table

PROCESSES, WAITS, QUOTA = 16, 25, 10
POLL_INTERVAL = 10.0
CEILING = 5.0
SECONDS = 60.0
# One read for each wait is all that the quota allows.
LEAST = PROCESSES * WAITS / QUOTA


def member(scan: dict[str, Any], number: int, adapts: bool) -> Iterator[float]:
    """Yield when the last of a process's waits saw the end, UNIX epoch seconds."""
    from tests.benchmarks.fleet_simulation import Unadapted, limited_by

    with nullcontext() if adapts else limited_by(Unadapted):
        yield asyncio.run(_member(Scan(**scan), number))


async def _member(scan: Scan, number: int) -> float:
    from airflow_provider_aegis.client.pace import Pace
    from airflow_provider_aegis.client.transport.nonblocking import open_transport

    service = replace(service_of(scan), max_requests_per_second=CEILING)
    async with open_transport(service) as transport, asyncio.TaskGroup() as waiting:
        for index in range(WAITS):
            delay = POLL_INTERVAL * (index + number / PROCESSES) / WAITS
            wait = watch(service, read_of(scan), pace=Pace(POLL_INTERVAL, POLL_INTERVAL), first_delay=delay)
            waiting.create_task(transport.perform(wait))
    return time.time()


def measure(*, adapts: bool) -> Figures:
    """Have them wait for one scan, and say how late its end was seen and what share was refused."""
    from airflow_provider_aegis.client.exchange import exchange
    from airflow_provider_aegis.client.once_task import generate_once_task
    from airflow_provider_aegis.client.transport.blocking import BlockingTransport
    from airflow_provider_aegis.emulator import Emulator

    with Emulator(seconds=3600, requests_per_second=QUOTA, report_progress=False) as sas:
        scan = Scan(f"{sas.host}:{sas.port}", sas.access_key_id, sas.access_key_secret, None)
        service = service_of(scan)
        with BlockingTransport(service) as transport:
            transport.perform(exchange(service, generate_once_task(once_task_type=KIND)))
        scan = replace(scan, task_id=sas.started[0])
        with ThreadPoolExecutor(PROCESSES) as pool:
            members = [
                pool.submit(once, member, scan=asdict(scan), number=number, adapts=adapts)
                for number in range(PROCESSES)
            ]
            time.sleep(SECONDS)
            sas.finish(scan.task_id)
            ended = time.time()
            seen = [one.result() for one in members]
        codes = [line.code for line in sas.log]
    return {"late": max(seen) - ended, "refused": 100 * sum("Throttling" in code for code in codes) / len(codes)}


def report() -> str:
    """Measure ours, and a limiter that keeps to its own ceiling alone."""
    ours, peer = measure(adapts=True), measure(adapts=False)
    rows = [
        Row(f"s until the last end is seen (the quota needs {LEAST:g})", ours["late"], peer["late"], at_most=60),
        Row("% of requests refused", ours["refused"], peer["refused"], at_most=10),
    ]
    return table(f"{PROCESSES} processes, {WAITS} waits each, {QUOTA} requests a second", "no adaptation", rows)
