"""What every client can do here, and what is measured of a process whichever client it uses."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, cast

from tests.benchmarks.scan import Scan

OURS, SDK = "ours", "sdk"
PEER = "the official SDK, alibabacloud_sas20181203"


class Client(Protocol):
    """A module with which to read of a scan."""

    def blocking(self, scan: Scan) -> AbstractContextManager[Callable[[], object]]:
        """Give a function that makes one read."""
        ...

    def nonblocking(self, scan: Scan) -> AbstractAsyncContextManager[Callable[[], Awaitable[object]]]:
        """Give a coroutine function that makes one read."""
        ...

    async def wait(self, scan: Scan, *, first_delay: float, interval: float) -> None:
        """Read again and again until the scan is over."""
        ...


def client_named(name: str) -> Client:
    """Import a client's module."""
    return cast(Client, importlib.import_module(f"tests.benchmarks.{name}"))


def import_airflow() -> None:
    """Import what every DAG file and every provider needs of Airflow."""
    import airflow.sdk as sdk
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_aegis import compat

    _ = BaseTrigger, sdk.BaseHook, sdk.BaseOperator, sdk.BaseSensorOperator, sdk.Connection
    _ = compat.XCom, compat.BaseOperatorLink, compat.AirflowTaskTimeout


def load_airflow() -> None:
    """Import Airflow, as every process has that makes reads, and keep garbage collection away from what it left."""
    import_airflow()
    gc.collect()
    gc.freeze()


def resident() -> float:
    """Return this process's memory in MB."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6
