"""What a cancellation does to a request on the event loop, the connection and the flow."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from airflow_provider_aegis.client.flows.exchange import Authenticate, Command, Flow, Sleep
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.nonblocking import NonblockingTransport, open_transport
from tests.fakes import KEYS
from tests.unit.client.transport.drivers import ask, request, service_at
from tests.unit.client.transport.loopback import Server, hang


def interrupted(first: Command, closed: list[type[BaseException]]) -> Flow[None]:
    try:
        yield first
    except BaseException as error:
        closed.append(type(error))
        raise


class Waiting:
    """A provider whose credentials take long to come."""

    account = "id"

    def ready(self, refused: Credentials | None = None) -> None:
        return None

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        yield Sleep(60)
        return KEYS


async def perform_and_cancel(
    transport: NonblockingTransport, flow: Flow[None], begun: Coroutine[Any, Any, object]
) -> None:
    task = asyncio.create_task(transport.run_flow(flow))
    await begun
    task.cancel()
    await task


@pytest.mark.parametrize("command", ["send", "sleep", "authenticate"])
def test_a_cancellation_passes_through_and_closes_the_conversation(command: str) -> None:
    """A trigger that swallows it cannot be moved to another triggerer."""

    async def run(server: Server) -> list[type[BaseException]]:
        config = service_at(f"http://{server.address}", credentials=Waiting())
        wanted: dict[str, Command] = {"send": request(config), "sleep": Sleep(60), "authenticate": Authenticate()}
        closed: list[type[BaseException]] = []
        async with open_transport(config) as transport:
            with pytest.raises(asyncio.CancelledError):
                await perform_and_cancel(transport, interrupted(wanted[command], closed), asyncio.sleep(0.05))
        return closed

    # Really waits a moment, so that the request is under way when it is cancelled.
    with Server(hang) as server:
        assert asyncio.run(run(server)) == [GeneratorExit]
        if command == "send":
            assert server.closed.acquire(timeout=5), "the connection of a cancelled request is not used again"


def test_a_time_out_of_the_caller_is_the_callers() -> None:
    async def run(server: Server) -> None:
        config = service_at(f"http://{server.address}")
        async with open_transport(config) as transport:
            # Really waits: it is the loop that counts.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await transport.run_flow(ask(config))

    with Server(hang) as server:
        asyncio.run(run(server))
