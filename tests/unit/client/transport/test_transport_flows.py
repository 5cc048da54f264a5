"""How both transports carry a flow through."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, NoAnswerError, UnreachableError
from airflow_provider_aegis.client.flows.exchange import Authenticate, Flow, Sleep, exchange
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import READ, FakeCredentials
from tests.unit.client.transport.drivers import Driver, ask, service_at
from tests.unit.client.transport.loopback import Server, in_turn, reply, reset

ADDRESS = "http://127.0.0.1:1"


def test_a_call_is_made_from_beginning_to_end(driver: Driver, server: Server) -> None:
    config = service_at(f"http://{server.address}")
    assert driver.run_flow(config, exchange(config, READ)) == {}
    assert server.requests[0].target == "/?TaskId=t1&TaskName=T%20%26%20N&TaskType=T"


def test_what_a_conversation_returns_is_returned(driver: Driver) -> None:
    def flow() -> Flow[str]:
        return "the end"
        yield Sleep(1)

    assert driver.run_flow(service_at(ADDRESS), flow()) == "the end"


@pytest.mark.parametrize("refresh", [False, True])
def test_keys_are_fetched_when_a_conversation_asks_for_them(driver: Driver, refresh: bool) -> None:
    keys = FakeCredentials([Credentials("old", "s"), Credentials("new", "s")])

    def flow() -> Flow[object]:
        return (yield Authenticate(Credentials("old", "s") if refresh else None))

    got = driver.run_flow(service_at(ADDRESS, credentials=keys), flow())
    assert got == Credentials("new" if refresh else "old", "s")
    assert keys.refreshes == [refresh]


def test_a_sleep_is_slept_and_answered_with_nothing(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)

    def flow() -> Flow[object]:
        return (yield Sleep(2.5)), (yield Sleep(3))

    assert driver.run_flow(service_at(ADDRESS), flow()) == (None, None)
    assert slept == [2.5, 3]


def test_what_stood_in_the_way_of_one_request_is_told_and_the_next_can_be_made(driver: Driver) -> None:
    with Server(in_turn(reset, reset, reply())) as server:
        config = service_at(f"http://{server.address}")
        outcomes = driver.run_flow(config, ask(config, times=3))
    assert [type(outcome) for outcome in outcomes] == [NoAnswerError, NoAnswerError, Response]


class NoKeys:
    """A provider that cannot hand out credentials, which it knows at once or finds out."""

    account = "nobody"

    def __init__(self, error: Exception, at_once: bool) -> None:
        self.error = error
        self.at_once = at_once

    def ready(self, refused: Credentials | None = None) -> Credentials | None:
        if self.at_once:
            raise self.error
        return None

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        yield Sleep(0)
        raise self.error


def closing(closed: list[bool], first: Authenticate | Sleep) -> Flow[None]:
    try:
        yield first
    finally:
        closed.append(True)


@pytest.mark.parametrize("at_once", [False, True])
def test_settings_that_lead_to_no_keys_end_the_conversation(driver: Driver, at_once: bool) -> None:
    closed: list[bool] = []
    keys = NoKeys(ConfigurationError("no keys"), at_once)
    with pytest.raises(ConfigurationError, match="no keys"):
        driver.run_flow(service_at(ADDRESS, credentials=keys), closing(closed, Authenticate()))
    assert closed == [True]


@pytest.mark.parametrize("at_once", [False, True])
def test_what_stood_in_the_way_of_keys_is_told(driver: Driver, at_once: bool) -> None:
    error = UnreachableError("no keys")

    def flow() -> Flow[list[str]]:
        return [repr((yield Authenticate())), repr((yield Authenticate()))]

    keys = NoKeys(error, at_once)
    assert driver.run_flow(service_at(ADDRESS, credentials=keys), flow()) == [repr(error)] * 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_an_interruption_passes_through_and_closes_the_conversation(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    async def sleep(_: float) -> None:
        raise interruption

    def block(_: float) -> None:
        raise interruption

    monkeypatch.setattr(time, "sleep", block)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    closed: list[bool] = []
    with pytest.raises(interruption):
        driver.run_flow(service_at(ADDRESS), closing(closed, Sleep(1)))
    assert closed == [True]


def test_two_threads_have_a_transport_each(driver: Driver, server: Server) -> None:
    config = service_at(f"http://{server.address}")
    threads = [threading.Thread(target=driver.run_flow, args=(config, exchange(config, READ))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(received.connection for received in server.requests) == list(range(1, 9))
