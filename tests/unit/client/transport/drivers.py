"""Both transports behind one face, so that a test of what both promise is written once."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol, TypeVar

import aiohttp.connector
import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import Flow, Send, Signature
from airflow_provider_aegis.client.protocol.endpoints import parse_host
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport import blocking, nonblocking
from airflow_provider_aegis.client.transport.blocking import BlockingTransport
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests import fakes
from tests.unit.client.transport.loopback import Act, Server

T = TypeVar("T")
Outcome = Response | SecurityCenterError

KEYS = Credentials("test-access-key-id", "test-access-key-secret", "test/token+==")
QUERY = "Param=%7B%22a%22%3A%20%22%2A~%22%7D&TaskType=T"
# Requests begin at one clock and end at another; a test moves them together.
monotonic = time.monotonic


class Driver(Protocol):
    @property
    def module(self) -> ModuleType:
        """Where the transport is defined."""
        ...

    def run_flow(self, config: ClientConfig, flow: Flow[T]) -> T:
        """Perform a flow on a transport that is opened for it and closed after it."""
        ...

    def idle(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        """Make the transport believe that so much time has passed."""
        ...


class Blocking:
    module = blocking

    def run_flow(self, config: ClientConfig, flow: Flow[T]) -> T:
        with BlockingTransport(config) as transport:
            return transport.run_flow(flow)

    def idle(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        later = SimpleNamespace(monotonic=lambda: monotonic() + seconds, sleep=time.sleep)
        monkeypatch.setattr(blocking, "time", later)


class Nonblocking:
    module = nonblocking

    def run_flow(self, config: ClientConfig, flow: Flow[T]) -> T:
        async def run() -> T:
            async with open_transport(config) as transport:
                return await transport.run_flow(flow)

        return asyncio.run(run())

    def idle(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        monkeypatch.setattr(aiohttp.connector, "monotonic", lambda: monotonic() + seconds)


def service_at(address: str, **changes: Any) -> ClientConfig:
    return fakes.config(endpoint=parse_host(address), **changes)


def request(config: ClientConfig, *, connect_timeout: float = 5.0, read_timeout: float = 5.0) -> Send:
    signature = Signature("GenerateOnceTask", "2026-01-02T03:04:05Z", "nonce", KEYS)
    return Send(f"{config.endpoint.url}?{QUERY}", signature, connect_timeout, read_timeout)


def ask(
    config: ClientConfig, /, times: int = 1, *, connect_timeout: float = 5.0, read_timeout: float = 5.0
) -> Flow[list[Outcome]]:
    """Send the same request some times; give back what came of each."""
    wanted = request(config, connect_timeout=connect_timeout, read_timeout=read_timeout)
    outcomes: list[Outcome] = []
    for _ in range(times):
        reply = yield wanted
        assert isinstance(reply, Response | SecurityCenterError)
        outcomes.append(reply)
    return outcomes


def ask_once(driver: Driver, act: Act, *, read_timeout: float = 5.0) -> Outcome:
    """Send one request to a server of its own, which does so about it."""
    with Server(act) as server:
        config = service_at(f"http://{server.address}")
        (outcome,) = driver.run_flow(config, ask(config, read_timeout=read_timeout))
        assert len(server.requests) == 1, "a transport sends once what it is told once"
        return outcome


@contextmanager
def full_queue() -> Iterator[str]:
    """An address whose queue of connections is full: the system answers nothing more there."""
    sockets = [socket.socket() for _ in range(4)]
    listener, *clients = sockets
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield "{}:{}".format(*listener.getsockname())
    finally:
        for each in sockets:
            each.close()
