"""What it costs to import the modules that a DAG file names."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator, Sequence

from tests.benchmarks.clients import import_airflow, resident
from tests.benchmarks.processes import Figures, medians, once
from tests.benchmarks.table import Row, table

RUNS = 3
OPERATORS = "airflow.providers.alibaba.cloud.operators"
MODULES = {
    "ours": (
        "airflow_provider_aegis.operators.once_task",
        "airflow_provider_aegis.operators.scan",
        "airflow_provider_aegis.sensors.once_task",
        "airflow_provider_aegis.triggers.once_task",
        "airflow_provider_aegis.links.security_center",
    ),
    "the official provider's operators": tuple(
        f"{OPERATORS}.{name}" for name in ("analyticdb_spark", "maxcompute", "oss")
    ),
    "alibabacloud_sas20181203.client": ("alibabacloud_sas20181203.client",),
}


def cost(modules: Sequence[str]) -> Iterator[Figures]:
    """Yield what modules add to a process that has Airflow's SDK already."""
    import_airflow()
    known, memory, began = len(sys.modules), resident(), time.process_time()
    for name in modules:
        importlib.import_module(name)
    spent = time.process_time() - began
    yield {"modules": len(sys.modules) - known, "cpu": spent * 1000, "memory": resident() - memory}


def report() -> str:
    """Compare ours with each peer."""
    runs: dict[str, list[Figures]] = {name: [] for name in MODULES}
    # The first time compiles the bytecode, and does not count.
    for _ in range(1 + RUNS):
        for name, modules in MODULES.items():
            runs[name].append(once(cost, modules=modules))
    ours, *peers = (medians(figures[1:]) for figures in runs.values())
    return "\n".join(
        table(
            "Importing operators, sensors, triggers and links, over airflow.sdk",
            name,
            [
                Row("modules", ours["modules"], peer["modules"], at_most=40),
                Row("CPU, ms", ours["cpu"], peer["cpu"], at_most=50),
                Row("memory, MB", ours["memory"], peer["memory"]),
            ],
        )
        for name, peer in zip(list(MODULES)[1:], peers, strict=True)
    )
