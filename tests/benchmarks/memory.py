"""Memory of a worker that has made one call, over TLS as all real ones are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.clients import PEER, SDK, client_named, import_airflow, resident
from tests.benchmarks.processes import Figures, emulator, medians, once
from tests.benchmarks.scan import KIND, Scan
from tests.benchmarks.table import Row, table

RUNS = 3


def hook(scan: dict[str, Any]) -> Iterator[Figures]:
    """Yield what our hook and one call of it add to a process that has Airflow's SDK already."""
    import_airflow()
    before, place = resident(), Scan(**scan)
    name, _, port = place.host.partition(":")
    os.environ["AIRFLOW_CONN_AEGIS_DEFAULT"] = json.dumps(
        {
            "conn_type": "aegis",
            "login": place.key_id,
            "password": place.secret,
            "host": f"{place.scheme}://{name}",
            "port": int(port),
            "extra": {"region": "cn-shanghai", "ca_bundle": place.ca},
        }
    )
    from airflow_provider_aegis.hooks.aegis import AegisHook

    with AegisHook() as aegis:
        aegis.get_once_task_result_info(once_task_id=place.task_id, once_task_type=KIND)
        yield {"memory": resident() - before}


def sdk(scan: dict[str, Any]) -> Iterator[Figures]:
    """Yield what the SDK and one call of it add."""
    import_airflow()
    before = resident()
    with client_named(SDK).blocking(Scan(**scan)) as read:
        read()
        yield {"memory": resident() - before}


def report() -> str:
    """Compare the two."""
    with emulator(tls=True) as scan:
        runs = [(once(hook, scan=scan), once(sdk, scan=scan)) for _ in range(RUNS)]
    ours, peer = (medians(figures) for figures in zip(*runs, strict=True))
    return table(
        "Memory of a worker after one call over TLS, over airflow.sdk",
        PEER,
        [Row("memory, MB", ours["memory"], peer["memory"], at_most=30)],
    )
