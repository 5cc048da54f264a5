"""Reads of a scan with this package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials import StaticCredentials
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import wait as wait_flow
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge, OnceTaskRef
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.operations import Call
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.benchmarks.scan import KIND, Scan


def service_of(scan: Scan) -> ClientConfig:
    """Return the scan's service, with a budget that holds nothing up."""
    return ClientConfig(
        endpoint=Endpoint(scan.scheme, scan.host),
        credentials=StaticCredentials(Credentials(scan.key_id, scan.secret)),
        ca_bundle=scan.ca,
        max_requests_per_second=1e6,
    )


def read_of(scan: Scan) -> Call:
    return OnceTaskRef(once_task_id=scan.task_id, once_task_type=KIND).read()


@contextmanager
def blocking(scan: Scan) -> Iterator[Callable[[], object]]:
    """Read over one kept connection."""
    from airflow_provider_aegis.client.transport.blocking import BlockingTransport

    config, call = service_of(scan), read_of(scan)
    with BlockingTransport(config) as transport:
        yield lambda: transport.run_flow(exchange(config, call))


@asynccontextmanager
async def nonblocking(scan: Scan) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Read through the event loop's shared session."""
    from airflow_provider_aegis.client.transport.nonblocking import open_transport

    config, call = service_of(scan), read_of(scan)
    async with open_transport(config) as transport:
        yield lambda: transport.run_flow(exchange(config, call))


async def wait(scan: Scan, *, first_delay: float, interval: float) -> None:
    """Wait for the end of the scan as a trigger does, with a service of its own and the loop's shared session."""
    from airflow_provider_aegis.client.transport.nonblocking import open_transport

    config = service_of(scan)
    flow = wait_flow(
        config,
        read_of(scan),
        judge=OnceTaskJudge(),
        poll_interval=PollInterval(interval, interval),
        first_delay=first_delay,
    )
    async with open_transport(config) as transport:
        await transport.run_flow(flow)
