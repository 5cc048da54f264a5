"""Vulnerabilities read to the end: how near to what a ceiling allows, CPU time of a record, and memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.clients import PEER, import_airflow, resident
from tests.benchmarks.ours import service_of
from tests.benchmarks.processes import Figures, Probe, medians, once
from tests.benchmarks.scan import Scan
from tests.benchmarks.table import Row, table

PAGE, LATENCY, CEILING = 100, 0.2, 10.0
PACED, PACED_IN_ORDER, COUNTED, FEW, MANY = 100_000, 5_000, 10_000, 10_000, 200_000
RUNS = 3


def serve(**settings: Any) -> Iterator[dict[str, Any]]:
    """Serve a Security Center with vulnerabilities."""
    from airflow_provider_aegis.emulator import Emulator

    with Emulator(requests_per_second=0, **settings) as sas:
        yield asdict(Scan(f"{sas.host}:{sas.port}", sas.access_key_id, sas.access_key_secret, None))


def ours(scan: dict[str, Any], ceiling: float, paging: str) -> Iterator[Figures]:
    """Yield what reading with our iterator and writing JSON Lines takes."""
    import_airflow()
    from airflow_provider_aegis.client.readers import find_reader
    from airflow_provider_aegis.client.transport.blocking import BlockingTransport
    from airflow_provider_aegis.findings.writers import encode
    from airflow_provider_aegis.hooks.findings import Findings

    config = replace(service_of(Scan(**scan)), max_requests_per_second=ceiling)
    reader = find_reader("DescribeVulList", paging=paging)  # type: ignore[arg-type]
    with BlockingTransport(config) as transport:

        def read(write: Callable[[bytes], object]) -> int:
            found = Findings(config, transport.run_flow, [(reader, {"Type": "cve"})], None)
            for record in found:
                write(encode(record) + b"\n")
            return found.counts.pages

        yield from _steps(read)


def sdk(scan: dict[str, Any]) -> Iterator[Figures]:
    """Yield what reading page by page with the SDK takes, as its examples do, and writing ``to_map()``."""
    from alibabacloud_sas20181203.client import Client
    from alibabacloud_sas20181203.models import DescribeVulListRequest
    from alibabacloud_tea_openapi.utils_models import Config
    from darabonba.runtime import RuntimeOptions

    at = Scan(**scan)
    client = Client(Config(access_key_id=at.key_id, access_key_secret=at.secret, endpoint=at.host, protocol="http"))

    def read(write: Callable[[bytes], object]) -> int:
        page = 0
        while True:
            page += 1
            request = DescribeVulListRequest(type="cve", lang="en", current_page=page, page_size=PAGE)
            body = client.describe_vul_list_with_options(request, RuntimeOptions()).body
            for record in body.vul_records:
                write(json.dumps(record.to_map(), ensure_ascii=False).encode() + b"\n")
            if len(body.vul_records) < PAGE:
                return page

    yield from _steps(read)


def _steps(read: Callable[[Callable[[bytes], object]], int]) -> Iterator[Figures]:
    before = resident()
    with Path("/dev/null").open("wb") as file:
        while True:
            began, spent = time.monotonic(), time.process_time()
            requests = read(file.write)
            # Linux counts in kilobytes, macOS in bytes.
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
            yield {
                "requests": requests,
                "seconds": time.monotonic() - began,
                "cpu": time.process_time() - spent,
                "memory": peak - before,
            }


def _pace() -> list[Row]:
    """How long each takes for what the ceiling allows; in order so much is lost that a part of the list tells it."""
    with Probe(serve, findings=PACED, latency=LATENCY) as server:
        side_by_side = _share(once(ours, scan=server.step(), ceiling=CEILING, paging="page"))
    with Probe(serve, findings=PACED_IN_ORDER, latency=LATENCY) as server:
        scan = server.step()
        in_order = _share(once(ours, scan=scan, ceiling=CEILING, paging="token"))
        theirs = _share(once(sdk, scan=scan))
    return [
        Row(f"{PACED:,} records side by side: time over what the ceiling allows", side_by_side, theirs, at_most=1.1),
        Row("by token, in order", in_order, theirs),
    ]


def _share(figures: Figures) -> float:
    return figures["seconds"] / (figures["requests"] / CEILING)


def _cpu() -> Row:
    with Probe(serve, findings=COUNTED) as server:
        scan = server.step()
        with Probe(ours, scan=scan, ceiling=1e6, paging="page") as mine, Probe(sdk, scan=scan) as peer:
            for warm in (mine, peer):
                warm.step()
            runs = [(mine.step(), peer.step()) for _ in range(RUNS)]
    mine_took, peer_took = (medians(figures)["cpu"] / COUNTED * 1e6 for figures in zip(*runs, strict=True))
    return Row("CPU of a record, read and written as JSON Lines: µs", mine_took, peer_took, ratio_at_most=0.2)


def _memory() -> list[Row]:
    rows = []
    for records in (FEW, MANY):
        with Probe(serve, findings=records) as server:
            figures = once(ours, scan=server.step(), ceiling=1e6, paging="page")
        rows.append(Row(f"memory over the imports, {records:,} records: MB", figures["memory"], at_most=60))
    return rows


def report() -> str:
    """Compare our iterator with the SDK paging one after the other."""
    title = (
        f"Vulnerabilities in pages of {PAGE}; at {LATENCY * 1000:.0f} ms and {CEILING:g} requests a second where paced"
    )
    return table(title, PEER, [*_pace(), _cpu(), *_memory()])
