"""Answers with a status of 1xx stand before the one that counts; no request is ever given that of another."""

from __future__ import annotations

import socket
import time

import pytest

from airflow_provider_aegis.client.errors import NoAnswerError, ProtocolError
from airflow_provider_aegis.client.protocol.responses import Response
from tests.unit.client.transport.drivers import Driver, Outcome, ask, ask_once, service_at
from tests.unit.client.transport.loopback import Act, Request, Server, in_turn, raw, reply

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": HINTS,
    "199": b"HTTP/1.1 199 Whatever\r\n\r\n",
    "with a length": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n",
    "several": b"HTTP/1.1 102 Processing\r\n\r\n" + HINTS * 3 + b"HTTP/1.1 100 Continue\r\n\r\n",
}


def after(interim: bytes, act: Act, *, pause: float = 0.0) -> Act:
    """Send interim answers, and then do the rest."""

    def both(connection: socket.socket, request: Request) -> None:
        connection.sendall(interim)
        time.sleep(pause)
        act(connection, request)

    return both


def bodies(outcomes: list[Outcome]) -> list[bytes]:
    assert all(isinstance(outcome, Response) and outcome.status == 200 for outcome in outcomes), outcomes
    return [outcome.body for outcome in outcomes if isinstance(outcome, Response)]


@pytest.mark.parametrize("interim", INTERIM.values(), ids=list(INTERIM))
@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["at once", "later"])
def test_each_request_is_given_its_own_answer(driver: Driver, interim: bytes, pause: float) -> None:
    """Else the status of scan B would be that of scan A, which was asked for just before."""
    acts = (after(interim, reply(name), pause=pause) for name in (b"A", b"B", b"C"))
    with Server(in_turn(*acts)) as server:
        config = service_at(f"http://{server.address}")
        outcomes = driver.run_flow(config, ask(config, times=3))
    assert bodies(outcomes) == [b"A", b"B", b"C"]
    assert [request.connection for request in server.requests] == [1, 1, 1]


def test_an_endpoint_that_leaves_http_is_left(driver: Driver) -> None:
    switched = after(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", reply(b"A"))
    with Server(in_turn(switched, reply(b"B"))) as server:
        config = service_at(f"http://{server.address}")
        first, second = driver.run_flow(config, ask(config, times=2))
    assert isinstance(first, NoAnswerError)
    assert bodies([second]) == [b"B"]
    assert [request.connection for request in server.requests] == [1, 2]


def test_an_interim_answer_is_not_an_answer(driver: Driver) -> None:
    assert isinstance(ask_once(driver, raw(HINTS)), NoAnswerError)


def test_interim_answers_without_end_are_bounded(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(connection: socket.socket, _: Request) -> None:
        while True:
            connection.sendall(HINTS)
            time.sleep(0.01)

    monkeypatch.setattr(driver.module, "MAX_ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("airflow_provider_aegis.client.transport.nonblocking.SLACK", 0.0)
    with Server(drip) as server:
        config = service_at(f"http://{server.address}")
        (outcome,) = driver.run_flow(config, ask(config, connect_timeout=0.2, read_timeout=0.2))
    assert isinstance(outcome, ProtocolError)
    assert "not complete after" in str(outcome)
