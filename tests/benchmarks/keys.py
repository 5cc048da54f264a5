"""For how long an event loop is held up while many triggers that start together are given temporary credentials."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median

from tests.benchmarks.clients import OURS, SDK, load_airflow
from tests.benchmarks.processes import Figures, Probe, once
from tests.benchmarks.table import Row, table
from tests.benchmarks.ticker import ticking

PEER = "the vendor's library, its get_credentials_async"
LIBRARY = "alibabacloud_credentials.provider"
WAITS = 200
# Each that waits on the library's lock holds its loop up for 5 s: 200 of them would take a quarter of an hour.
PEERS_WAITS = 3
RUNS, PEERS_RUNS = 10, 2
TICK = 0.001


def serve() -> Iterator[dict[str, int]]:
    """Hand out credentials on loopback: yield the port, then how often they were asked for since the last time."""
    asked = threading.Semaphore(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.release()
            until = datetime.now(UTC) + timedelta(hours=1)
            keys = {"AccessKeyId": "STS.id", "AccessKeySecret": "secret", "SecurityToken": "token"}
            body = json.dumps({"Code": "Success", **keys, "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"port": server.server_port}
        while True:
            number = 0
            while asked.acquire(blocking=False):
                number += 1
            yield {"asked": number}


def stalls(client: str, uri: str) -> Iterator[Figures]:
    """Yield the worst delays: while the first credentials are fetched, imports included, and then others."""
    load_airflow()
    yield asyncio.run(_stalls(client, uri))


async def _stalls(client: str, uri: str) -> Figures:
    ask = {OURS: _ask_ours, SDK: _ask_library}[client]
    async with ticking(TICK) as ticker:
        await asyncio.sleep(0.2)
        idle, _ = ticker.take()
        await ask(f"{uri}?first")
        cold, cold_busy = ticker.take()
        await ask(f"{uri}?second")
        warm, warm_busy = ticker.take()
    return {"idle": idle, "cold": cold, "cold_busy": cold_busy, "warm": warm, "warm_busy": warm_busy}


async def _ask_ours(uri: str) -> None:
    from airflow_provider_aegis.client.credentials.base import authenticate
    from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger

    extra = {"region": "cn-shanghai", "auth_type": "credentials_uri", "credentials_uri": uri}
    connection = {"conn_type": "aegis", "host": "http://127.0.0.1", "port": 1, "extra": extra}
    os.environ["AIRFLOW_CONN_AEGIS_DEFAULT"] = json.dumps(connection)
    triggers = [
        AegisOnceTaskTrigger(once_task_id="id", once_task_type="VUL_CHECK_TASK", aegis_conn_id="aegis_default")
        for _ in range(WAITS)
    ]
    found = await asyncio.gather(*(trigger.run_flow(lambda _: authenticate()) for trigger in triggers))
    assert len(set(found)) == 1


async def _ask_library(uri: str) -> None:
    library = await asyncio.to_thread(importlib.import_module, LIBRARY)
    provider = library.URLCredentialsProvider(uri=uri)
    await asyncio.gather(*(provider.get_credentials_async() for _ in range(PEERS_WAITS)), return_exceptions=True)


def report() -> str:
    """Compare the stalls of fresh processes, which take turns."""
    runs: dict[str, list[Figures]] = {OURS: [], SDK: []}
    with Probe(serve) as server:
        uri = f"http://127.0.0.1:{server.step()['port']}/keys"
        for number in range(RUNS):
            for client in (OURS, SDK)[: 2 if number < PEERS_RUNS else 1]:
                server.step()
                runs[client].append({**once(stalls, client=client, uri=uri), **server.step()})
    ours, peer = ({name: [run[name] for run in figures] for name in figures[0]} for figures in runs.values())
    return table(
        f"Event loop held up while {WAITS} triggers of one connection get credentials, in {RUNS} fresh processes, ms",
        f"{PEER}, of {PEERS_WAITS} waits in {PEERS_RUNS} processes",
        [
            Row("imports included, worst of all", max(ours["cold"]), max(peer["cold"]), at_most=20),
            Row("imports included, median", median(ours["cold"]), median(peer["cold"]), at_most=20),
            Row("imports included, median, own CPU time", median(ours["cold_busy"]), median(peer["cold_busy"])),
            Row("afterwards, worst of all", max(ours["warm"]), max(peer["warm"]), at_most=20),
            Row("afterwards, median", median(ours["warm"]), median(peer["warm"]), at_most=20),
            Row("worst of all with nothing to do", max(ours["idle"]), max(peer["idle"])),
            Row("requests for credentials, two fetches", max(ours["asked"]), max(peer["asked"]), at_most=2),
        ],
    )
