"""Where the provider is joined to the world: its transports, its connection and its clock. Nothing else is replaced."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConflictError, NoAnswerError, SecurityCenterError, UnreachableError
from airflow_provider_aegis.client.flows import exchange, rate_limit
from airflow_provider_aegis.client.flows.exchange import Authenticate, Flow, Reply, Send, Sleep
from airflow_provider_aegis.client.jobs.once_task import generate_once_task, started_id
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.transport import blocking
from airflow_provider_aegis.emulator.http import Request
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators import scan
from airflow_provider_aegis.triggers import base
from tests import fakes
from tests.state_machine.triggerer import CURRENT, WorldLoop
from tests.state_machine.worker import Strand, ThreadInProcess
from tests.state_machine.world import Came, NoReply, World

T = TypeVar("T")

TIMED = ("airflow_provider_aegis.operators.", "airflow_provider_aegis.triggers.")


@contextmanager
def joined(world: World) -> Iterator[None]:
    """Join the provider to a world, with processes that remember nothing of another one."""
    config = fakes.config(clock=world.clock, rng=random.Random(0), read_timeout=10.0)

    class InProcess(BlockingInProcess):
        def __init__(self, config: ClientConfig) -> None:
            super().__init__(world, config)

    @asynccontextmanager
    async def open_transport(config: ClientConfig) -> AsyncIterator[NonblockingInProcess]:
        yield NonblockingInProcess(world, config)

    async def aget_config(hook: AegisHook) -> ClientConfig:
        return config

    known: cached_property[ClientConfig] = cached_property(lambda hook: config)
    known.__set_name__(AegisHook, "config")
    exchange.clock_offsets.clear()
    exchange.seen_offsets.clear()
    rate_limit._limiters.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True)
        patch.setattr(AegisHook, "config", known)
        patch.setattr(AegisHook, "aget_config", aget_config)
        patch.setattr(blocking, "BlockingTransport", InProcess)
        patch.setattr(base, "_transport", SimpleNamespace(open_transport=open_transport))
        patch.setattr(scan, "threading", SimpleNamespace(Thread=ThreadInProcess))
        patch.setattr(scan, "atexit", SimpleNamespace(register=at_exit))
        for name, module in list(sys.modules.items()):
            if name.startswith(TIMED) and getattr(module, "time", None) is time:
                patch.setattr(module, "time", world.clock)
        yield


def at_exit(do: Callable[..., Any], *args: Any) -> None:
    """Have the process do something before its orderly end."""
    Strand.current().process.at_exit.append(partial(do, *args))


class BlockingInProcess:
    """Performs flows for a task's process."""

    def __init__(self, world: World, config: ClientConfig) -> None:
        self._world, self._service = world, config

    def run_flow(self, flow: Flow[T]) -> T:
        """Carry a flow through and return what it returns."""
        reply: Reply = None
        strand = Strand.current()
        try:
            while True:
                match command := flow.send(reply):
                    case Send():
                        request = as_request(command)
                        reply = as_reply(strand.wait(self._world.send(request, strand.process, limit_of(command))))
                    case Sleep(seconds):
                        strand.wait(self._world.sleep(seconds))
                        reply = None
                    case Authenticate():
                        reply = fakes.KEYS
                    case _:
                        raise AssertionError(f"{command} is not expected")
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            flow.close()

    def close(self) -> None:
        """There is no connection to close."""

    def __enter__(self) -> BlockingInProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NonblockingInProcess:
    """Performs flows for a trigger."""

    def __init__(self, world: World, config: ClientConfig) -> None:
        self._world, self._service = world, config

    async def run_flow(self, flow: Flow[T]) -> T:
        """Carry a flow through and return what it returns."""
        reply: Reply = None
        loop = cast(WorldLoop, asyncio.get_running_loop())
        try:
            while True:
                match command := flow.send(reply):
                    case Send():
                        request = as_request(command)
                        came = self._world.send(request, CURRENT.get(), limit_of(command))
                        reply = as_reply(await loop.wait(came))
                    case Sleep(seconds):
                        await asyncio.sleep(seconds)
                        reply = None
                    case Authenticate():
                        reply = fakes.KEYS
                    case _:
                        raise AssertionError(f"{command} is not expected")
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            flow.close()


def as_request(send: Send) -> Request:
    """Sign a request and return it as it would be on the wire."""
    parts = urlsplit(send.url)
    assert send.signature
    headers = send.signature.headers(method=send.method, host=parts.netloc, path=parts.path, query=parts.query)
    return Request(method=send.method, path=parts.path, query=parts.query, headers=headers)


def limit_of(send: Send) -> float:
    """Seconds after which a transport gives up."""
    return min(send.read_timeout, send.seconds)


def as_reply(came: Came) -> Response | SecurityCenterError:
    """Return what a transport makes of what came."""
    if isinstance(came, NoReply):
        return NoAnswerError(came.why) if came.sent else UnreachableError(came.why)
    return Response(came.status, {name.lower(): value for name, value in came.headers.items()}, came.body)


def carry_out(world: World, flow: Flow[T]) -> T:
    """Let a colleague make a call on the spot."""
    reply: Reply = None
    try:
        while True:
            match command := flow.send(reply):
                case Send():
                    reply = as_reply(world.carry_out(as_request(command)))
                case Sleep():
                    raise AssertionError("a colleague does not wait")
                case Authenticate():
                    reply = fakes.KEYS
    except StopIteration as end:
        return cast(T, end.value)


def start_elsewhere(world: World, task_type: str) -> str | None:
    """Let a colleague start a scan on the spot; no fault meets it.

    :return: its id, ``None`` if the service refuses it.
    """
    config = fakes.config(clock=world.clock, endpoint=Endpoint("https", "colleague.aliyuncs.com"))
    request = generate_once_task(once_task_type=task_type)
    try:
        return started_id(carry_out(world, exchange.exchange(config, request)))
    except ConflictError:
        return None
