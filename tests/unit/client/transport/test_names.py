"""Host names: a look-up that hangs ends with the time-out, and every address of a host is tried in time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import DeadlineExceededError, SecurityCenterError, UnreachableError
from airflow_provider_aegis.client.flows import exchange as flows
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.transport.blocking import BlockingTransport
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests.fakes import READ, START
from tests.unit.client.transport.drivers import Driver, ask, service_at
from tests.unit.client.transport.loopback import Server

# Far more than anything here needs; only what hangs takes as long.
HANG = 120.0
getaddrinfo = socket.getaddrinfo


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names whose look-up hangs, until the test is over."""
    release = threading.Event()
    names: list[str] = []

    def hang(host: str, *args: Any, **kwargs: Any) -> Any:
        if not host.endswith(".example"):
            return getaddrinfo(host, *args, **kwargs)
        names.append(host)
        release.wait(HANG)
        raise socket.gaierror("nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield names
    release.set()


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Give the host ``localhost`` addresses."""

    def resolve(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host != "localhost":
            return getaddrinfo(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def in_time(work: Callable[[], object]) -> None:
    """Fail if the work hangs."""
    began = time.monotonic()
    work()
    assert time.monotonic() - began < HANG / 2, "it hangs"


@pytest.mark.parametrize("call", [READ, START], ids=["read", "start"])
def test_a_call_ends_at_its_deadline_though_the_look_up_hangs(
    driver: Driver, hung: list[str], call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "FIRST_BACKOFF", 0.01)
    config = service_at("https://tds.example", clock=time)

    def run() -> None:
        with pytest.raises(SecurityCenterError) as caught:
            driver.run_flow(config, exchange(config, call, deadline=time.monotonic() + 0.5))
        assert type(caught.value) in (UnreachableError, DeadlineExceededError), "nothing was sent"

    in_time(run)
    assert len(hung) <= 1, "what hangs is not begun again"


def test_a_look_up_that_hangs_ends_with_the_connect_time_out(driver: Driver, hung: list[str]) -> None:
    config = service_at("https://tds.example")

    def run() -> None:
        outcomes = driver.run_flow(config, ask(config, times=3, connect_timeout=0.05))
        assert [type(outcome) for outcome in outcomes] == [UnreachableError] * 3

    in_time(run)
    assert len(hung) == 1


def test_look_ups_that_hang_take_none_of_the_threads_of_a_loop(server: Server, hung: list[str]) -> None:
    async def stuck(number: int) -> None:
        config = service_at(f"https://{number}.example")
        async with open_transport(config) as transport:
            await transport.run_flow(ask(config, connect_timeout=HANG))

    async def run() -> None:
        tasks = [asyncio.create_task(stuck(number)) for number in range(50)]
        while len(hung) < 50:  # noqa: ASYNC110  (there is no event to wait for)
            await asyncio.sleep(0.01)
        config = service_at(f"http://localhost:{server.address.partition(':')[2]}")
        async with asyncio.timeout(HANG / 2), open_transport(config) as transport:
            (outcome,) = await transport.run_flow(ask(config))
            assert isinstance(outcome, Response)
            await asyncio.to_thread(int)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    in_time(lambda: asyncio.run(run()))


def test_the_next_address_of_a_host_is_tried_where_one_is_dead(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
    config = service_at(f"http://localhost:{server.address.partition(':')[2]}")
    (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, Response)
    assert server.requests[0].headers["host"] == config.endpoint.host


def test_all_addresses_of_a_host_share_one_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, *["127.0.0.1"] * 10)
    times: list[float] = []

    def timed(_: object, seconds: float, *__: object) -> socket.socket:
        times.append(seconds)
        raise TimeoutError

    monkeypatch.setattr("airflow_provider_aegis.client.transport.deadline.create_connection", timed)
    config = service_at("http://localhost:1")
    with BlockingTransport(config) as transport:
        (outcome,) = transport.run_flow(ask(config, connect_timeout=50.0))
    assert isinstance(outcome, UnreachableError)
    assert len(times) == 10
    assert max(times[:5]) < 15, "no address takes all of the time"
