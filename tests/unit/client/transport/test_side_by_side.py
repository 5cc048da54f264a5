"""Both transports perform flows at the same time, and tell what came of each in their order."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import InvalidRequestError
from airflow_provider_aegis.client.flows.commands import Flow, SideBySide, Sleep
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.flows.paginate import side_by_side
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.client.transport.blocking import BlockingTransport
from airflow_provider_aegis.client.transport.side_by_side import MOST_THREADS
from tests.unit.client.transport.drivers import Driver, service_at
from tests.unit.client.transport.loopback import Server

ADDRESS = "http://127.0.0.1:1"


class Meeting:
    """Flows that wait for one another: if they are not performed at the same time, none of them ends."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.arrived = wanted, 0
        self.lock = threading.Lock()

    def flow(self, number: int) -> Flow[int]:
        with self.lock:
            self.arrived += 1
        until = time.monotonic() + 30
        while self.arrived < self.wanted and time.monotonic() < until:
            yield Sleep(0.001 * (self.wanted - number))
        return number if self.arrived >= self.wanted else -1


def failing(number: int) -> Flow[int]:
    yield Sleep(0)
    raise InvalidRequestError(f"no {number}")


def returning(number: int) -> Flow[int]:
    yield Sleep(0.001)
    return number


def test_flows_run_at_the_same_time_and_their_results_come_in_order(driver: Driver) -> None:
    meeting = Meeting(MOST_THREADS)
    flows = [meeting.flow(number) for number in range(MOST_THREADS)]
    assert driver.run_flow(service_at(ADDRESS), side_by_side(flows)) == list(range(MOST_THREADS))


def test_there_may_be_more_flows_than_threads(driver: Driver) -> None:
    flows = [returning(number) for number in range(5 * MOST_THREADS)]
    assert driver.run_flow(service_at(ADDRESS), side_by_side(flows)) == list(range(5 * MOST_THREADS))


def test_the_first_error_is_raised_and_nothing_is_begun_after_it(driver: Driver) -> None:
    begun: list[int] = []

    def late(number: int) -> Flow[int]:
        begun.append(number)
        yield Sleep(0.2)
        return number

    flows = [returning(0), failing(1), *[late(number) for number in range(100)]]
    with pytest.raises(InvalidRequestError, match="no 1"):
        driver.run_flow(service_at(ADDRESS), side_by_side(flows))
    assert len(begun) < 100 or driver.module.__name__.endswith("nonblocking")


def test_an_error_stands_in_the_place_of_its_flow(driver: Driver) -> None:
    def flow() -> Flow[Any]:
        return (yield SideBySide([returning(0), failing(1)]))

    zero, error = driver.run_flow(service_at(ADDRESS), flow())
    assert zero in (0, None)
    assert isinstance(error, InvalidRequestError)


def test_calls_go_over_connections_of_their_own(driver: Driver, server: Server) -> None:
    config = service_at(f"http://{server.address}")
    flows = [exchange(config, call("DescribeVulList", CurrentPage=number)) for number in range(20)]
    assert driver.run_flow(config, side_by_side(flows)) == [{}] * 20
    asked = {request.target.partition("CurrentPage=")[2].partition("&")[0] for request in server.requests}
    assert asked == {str(number) for number in range(20)}


class Interrupt(BaseException):
    """What Airflow raises in the main thread when a task's time is over."""


def test_an_interrupted_thread_does_not_wait_for_the_others_nor_uses_their_connections_again() -> None:
    release = threading.Event()

    def held() -> Flow[None]:
        if threading.current_thread() is threading.main_thread():
            raise Interrupt
        release.wait(30)
        return
        yield Sleep(0)

    with BlockingTransport(service_at(ADDRESS)) as transport:
        try:
            with pytest.raises(Interrupt):
                transport.run_flow(side_by_side([held() for _ in range(4)]))
            assert transport._others == []
        finally:
            release.set()
        assert transport.run_flow(side_by_side([returning(1), returning(2)])) == [1, 2]
