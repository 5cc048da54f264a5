"""Reads of a scan with this package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from airflow_provider_aegis.client.credentials import StaticCredentials
from airflow_provider_aegis.client.endpoints import Endpoint
from airflow_provider_aegis.client.exchange import exchange
from airflow_provider_aegis.client.once_task import get_once_task_result_info
from airflow_provider_aegis.client.operations import Call
from airflow_provider_aegis.client.pace import Pace
from airflow_provider_aegis.client.service import Service
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.watch import watch
from tests.benchmarks.scan import KIND, Scan


def service_of(scan: Scan) -> Service:
    """Return the scan's service, with a budget that holds nothing up."""
    return Service(
        endpoint=Endpoint(scan.scheme, scan.host),
        credentials=StaticCredentials(Credentials(scan.key_id, scan.secret)),
        ca_bundle=scan.ca,
        max_requests_per_second=1e6,
    )


def read_of(scan: Scan) -> Call:
    return get_once_task_result_info(once_task_id=scan.task_id, once_task_type=KIND)


@contextmanager
def blocking(scan: Scan) -> Iterator[Callable[[], object]]:
    """Read over one kept connection."""
    from airflow_provider_aegis.client.transport.blocking import BlockingTransport

    service, call = service_of(scan), read_of(scan)
    with BlockingTransport(service) as transport:
        yield lambda: transport.perform(exchange(service, call))


@asynccontextmanager
async def nonblocking(scan: Scan) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Read through the event loop's shared session."""
    from airflow_provider_aegis.client.transport.nonblocking import open_transport

    service, call = service_of(scan), read_of(scan)
    async with open_transport(service) as transport:
        yield lambda: transport.perform(exchange(service, call))


async def wait(scan: Scan, *, first_delay: float, interval: float) -> None:
    """Wait for the end of the scan as a trigger does, with a service of its own and the loop's shared session."""
    from airflow_provider_aegis.client.transport.nonblocking import open_transport

    service = service_of(scan)
    conversation = watch(service, read_of(scan), pace=Pace(interval, interval), first_delay=first_delay)
    async with open_transport(service) as transport:
        await transport.perform(conversation)
