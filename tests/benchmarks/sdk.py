"""Reads of a scan with the official SDK, used as its own examples do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from alibabacloud_sas20181203.client import Client
from alibabacloud_sas20181203.models import GetOnceTaskResultInfoRequest
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

from tests.benchmarks.scan import KIND, Scan


def parts_of(scan: Scan) -> tuple[Any, Any, Any]:
    """Return client, request and options."""
    config = Config(access_key_id=scan.key_id, access_key_secret=scan.secret, endpoint=scan.host, protocol=scan.scheme)
    request = GetOnceTaskResultInfoRequest(task_id=scan.task_id, task_type=KIND, task_name=KIND)
    return Client(config), request, RuntimeOptions(ca=scan.ca)


@contextmanager
def blocking(scan: Scan) -> Iterator[Callable[[], object]]:
    """Read with the blocking call, which keeps its connection."""
    client, request, options = parts_of(scan)
    yield lambda: client.get_once_task_result_info_with_options(request, options)


@asynccontextmanager
async def nonblocking(scan: Scan) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Read with the asynchronous call."""
    client, request, options = parts_of(scan)
    yield lambda: client.get_once_task_result_info_with_options_async(request, options)


async def wait(scan: Scan, *, first_delay: float, interval: float) -> None:
    """Wait for the end of the scan by asking again and again."""
    client, request, options = parts_of(scan)
    await asyncio.sleep(first_delay)
    while True:
        response = await client.get_once_task_result_info_with_options_async(request, options)
        if response.body.task_info.status == "SUCCESS":
            return
        await asyncio.sleep(interval)
