"""What the non-blocking transport promises beside what both do."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import weakref
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.exchange import Authenticate, Flow, Sleep
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests.fakes import KEYS
from tests.unit.client.transport.drivers import ask, request, service_at
from tests.unit.client.transport.loopback import Server, tls


def connections(server: Server) -> list[int]:
    return [received.connection for received in server.requests]


# One session for each endpoint and loop


def test_users_on_one_loop_share_a_session_and_the_last_one_closes_it(server: Server) -> None:
    config = service_at(f"http://{server.address}")

    async def run() -> None:
        async with open_transport(config) as first:
            async with open_transport(config) as second:
                await first.run_flow(ask(config))
                await second.run_flow(ask(config))
            assert not server.closed.acquire(blocking=False)
            await first.run_flow(ask(config))

    asyncio.run(run())
    assert connections(server) == [1, 1, 1]
    assert server.closed.acquire(timeout=5)


def test_the_first_may_leave_before_the_others(server: Server) -> None:
    config = service_at(f"http://{server.address}")

    async def run() -> None:
        async with open_transport(config) as second:
            async with open_transport(config) as first:
                await first.run_flow(ask(config))
            (outcome,) = await second.run_flow(ask(config))
            assert isinstance(outcome, Response)

    asyncio.run(run())
    assert connections(server) == [1, 1]


def test_many_who_come_at_once_open_one_session() -> None:
    config = service_at("https://tds.example")

    async def run() -> None:
        inside = asyncio.Barrier(50)
        sessions: set[int] = set()

        async def join() -> None:
            async with open_transport(config) as transport:
                sessions.add(id(transport._session))
                await inside.wait()

        await asyncio.gather(*(join() for _ in range(50)))
        assert len(sessions) == 1

    asyncio.run(run())


def test_a_session_is_opened_anew_after_the_last_has_left(server: Server) -> None:
    config = service_at(f"http://{server.address}")

    async def run() -> None:
        for _ in range(2):
            async with open_transport(config) as transport:
                await transport.run_flow(ask(config))

    asyncio.run(run())
    assert connections(server) == [1, 2]


def test_another_endpoint_or_another_ca_bundle_is_another_session(certificate: Path) -> None:
    services = [
        service_at("https://tds.example"),
        service_at("https://other.example"),
        service_at("https://tds.example", ca_bundle=str(certificate)),
    ]

    async def run() -> None:
        async with open_transport(services[0]) as a, open_transport(services[1]) as b, open_transport(services[2]) as c:
            assert len({id(transport._session) for transport in (a, b, c)}) == 3

    asyncio.run(run())


def test_two_loops_share_nothing(server: Server) -> None:
    config = service_at(f"http://{server.address}")
    meet = threading.Barrier(2)

    async def run() -> None:
        async with open_transport(config) as transport:
            await asyncio.to_thread(meet.wait, 5)
            (outcome,) = await transport.run_flow(ask(config))
            assert isinstance(outcome, Response)
            await asyncio.to_thread(meet.wait, 5)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    asyncio.run(run())
    thread.join()
    assert sorted(connections(server)) == [1, 2]


def test_who_fails_inside_leaves_like_everybody_else(server: Server) -> None:
    config = service_at(f"http://{server.address}")

    async def fail() -> None:
        async with open_transport(config) as transport:
            await transport.run_flow(ask(config))
            raise ZeroDivisionError

    async def run() -> None:
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await asyncio.to_thread(server.closed.acquire, timeout=5)

    asyncio.run(run())


def test_who_cannot_read_the_ca_bundle_can_try_again(tmp_path: Path, certificate: Path) -> None:
    bundle = tmp_path / "bundle.pem"

    async def run(config: ClientConfig) -> None:
        async with open_transport(config) as transport:
            for _ in range(2):
                with pytest.raises(ConfigurationError):
                    await transport.run_flow(ask(config))
            await asyncio.to_thread(shutil.copy, certificate, bundle)
            (outcome,) = await transport.run_flow(ask(config))
            assert isinstance(outcome, Response)

    with Server(context=tls(certificate)) as server:
        asyncio.run(run(service_at(f"https://{server.address}", ca_bundle=str(bundle))))


def test_nothing_is_left_open(server: Server, certificate: Path) -> None:
    """pytest makes an error of the warning that a forgotten socket or session is."""

    async def run(config: ClientConfig) -> None:
        async with open_transport(config) as transport:
            (outcome,) = await transport.run_flow(ask(config))
            assert isinstance(outcome, Response)

    with Server(context=tls(certificate)) as secured:
        asyncio.run(run(service_at(f"http://{server.address}")))
        asyncio.run(run(service_at(f"https://{secured.address}", ca_bundle=str(certificate))))
        gc.collect()


def test_a_loop_that_is_over_is_forgotten() -> None:
    """A process that runs a loop for every task would else keep them all."""
    config = service_at("https://tds.example")
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def join() -> None:
        async with open_transport(config):
            await asyncio.sleep(0)

    async def run() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await asyncio.gather(join(), join())

    asyncio.run(run())
    gc.collect()
    assert loops[0]() is None


# Nothing holds up the loop


class Fetching:
    """A provider whose credentials take a while; notes what was refused, and in which thread it fetches."""

    account = "id"

    def __init__(self) -> None:
        self.refused: list[Credentials | None] = []
        self.threads: set[int] = set()

    def ready(self, refused: Credentials | None = None) -> None:
        return None

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        self.refused.append(refused)
        yield Sleep(0.05)
        self.threads.add(threading.get_ident())
        return KEYS


def wanted(refused: Credentials | None) -> Flow[object]:
    return (yield Authenticate(refused))


def test_however_many_wait_for_credentials_they_are_fetched_once_and_on_the_loop() -> None:
    async def run() -> None:
        provider = Fetching()
        async with open_transport(service_at("http://127.0.0.1:1", credentials=provider)) as transport:
            assert set(await asyncio.gather(*(transport.run_flow(wanted(None)) for _ in range(200)))) == {KEYS}
        assert provider.refused == [None]
        assert provider.threads == {threading.get_ident()}

    asyncio.run(run())


def test_a_caller_whose_credentials_were_refused_does_not_take_part_in_the_fetch_of_others() -> None:
    async def run() -> None:
        provider = Fetching()
        async with open_transport(service_at("http://127.0.0.1:1", credentials=provider)) as transport:
            await asyncio.gather(*(transport.run_flow(wanted(refused)) for refused in (None, KEYS, None, KEYS)))
        assert Counter(provider.refused) == {None: 1, KEYS: 1}

    asyncio.run(run())


def test_a_caller_that_is_cancelled_leaves_the_fetch_to_the_others(server: Server) -> None:
    """And the session as well: what is fetched may be asked of the service's own host."""
    config = service_at(f"http://{server.address}")

    class Asking(Fetching):
        def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
            yield Sleep(0.05)
            assert isinstance((yield request(config)), Response)
            return (yield from super().get(refused))

    async def want(provider: Asking) -> object:
        async with open_transport(replace(config, credentials=provider)) as transport:
            return await transport.run_flow(wanted(None))

    async def run() -> None:
        provider = Asking()
        first = asyncio.create_task(want(provider))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait((first,))
        assert await want(provider) == KEYS
        assert provider.refused == [None]

    asyncio.run(run())
    assert len(server.requests) == 1


def test_requests_of_one_loop_are_under_way_at_the_same_time() -> None:
    arrived = threading.Barrier(10)

    def act(connection: Any, _: object) -> None:
        arrived.wait(5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def run(config: ClientConfig) -> list[Any]:
        async with open_transport(config) as transport:
            return await asyncio.gather(*(transport.run_flow(ask(config)) for _ in range(10)))

    with Server(act) as server:
        outcomes = asyncio.run(run(service_at(f"http://{server.address}")))
    assert all(isinstance(outcome, Response) for (outcome,) in outcomes)
