"""What stood in the way of a request, and whether it can have arrived: the same from both transports."""

from __future__ import annotations

import socket

import pytest

from airflow_provider_aegis.client.errors import (
    NoAnswerError,
    UnreachableError,
)
from tests.unit.client.transport.drivers import Driver, ask, ask_once, full_queue, service_at
from tests.unit.client.transport.loopback import Act, Request, hang, raw, reset


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reset, id="reset"),
        pytest.param(raw(), id="closed without an answer"),
        pytest.param(raw(b"HTTP/1.1"), id="closed in the first line"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), id="closed in the body"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}"), id="closed in a chunk"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}"), id="no chunk"),
        pytest.param(raw(b"220 mail.example ESMTP\r\n\r\n"), id="another protocol"),
    ],
)
def test_what_comes_after_the_request_leaves_open_whether_it_arrived(driver: Driver, act: Act) -> None:
    assert isinstance(ask_once(driver, act), NoAnswerError)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], ids=["at all", "any more"])
def test_a_service_that_says_nothing_leaves_it_open_too(driver: Driver, start: bytes) -> None:
    def act(connection: socket.socket, request: Request) -> None:
        connection.sendall(start)
        hang(connection, request)

    # Really waits for the time-out: the system's sockets count it.
    assert isinstance(ask_once(driver, act, read_timeout=0.2), NoAnswerError)


def test_a_refused_connection_says_that_nothing_was_sent(driver: Driver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    config = service_at(f"http://127.0.0.1:{port}")
    (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, UnreachableError)


def test_an_unknown_host_name_says_that_nothing_was_sent(driver: Driver) -> None:
    config = service_at("https://nothing.invalid")
    (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, UnreachableError)


def test_a_time_out_while_connecting_says_that_nothing_was_sent(driver: Driver) -> None:
    with full_queue() as address:
        config = service_at(f"http://{address}")
        # Really waits for the time-out: the system does not answer where a queue is full.
        (outcome,) = driver.run_flow(config, ask(config, connect_timeout=0.1))
    assert isinstance(outcome, UnreachableError)
