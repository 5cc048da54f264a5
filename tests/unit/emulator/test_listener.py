from __future__ import annotations

import errno
import socket
import time
from http.client import HTTPConnection

import pytest

from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.emulator.listener import bind
from tests.unit.emulator.support import ask, sign_for


def test_binding_takes_an_address_and_does_not_listen_there() -> None:
    with bind("127.0.0.1", 0) as sock, socket.socket() as client:
        assert sock.getsockname()[1] > 0
        assert client.connect_ex(sock.getsockname()) == errno.ECONNREFUSED


def test_binding_to_what_is_taken_fails_and_leaks_nothing(sas: Emulator) -> None:
    with pytest.raises(OSError) as caught:
        bind(sas.host, sas.port)
    assert caught.value.errno == errno.EADDRINUSE


def test_connections_are_refused_until_they_are_accepted_again_at_the_same_port(sas: Emulator) -> None:
    port = sas.port
    for _ in range(3):
        sas.refuse_connections()
        with pytest.raises(ConnectionRefusedError):
            ask(sas, "DescribeOnceTask", TaskType="X")
        sas.accept_connections()
        assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200
    assert sas.port == port


def test_nobody_else_is_given_the_port_meanwhile(sas: Emulator) -> None:
    sas.refuse_connections()
    with socket.socket() as other, pytest.raises(OSError) as caught:
        other.bind((sas.host, sas.port))
    assert caught.value.errno == errno.EADDRINUSE


def test_a_connection_that_was_open_is_closed(sas: Emulator) -> None:
    connection = HTTPConnection(sas.host, sas.port, timeout=10)
    request = sign_for(sas, "DescribeOnceTask", TaskType="X")
    try:
        connection.request("POST", f"/?{request.query}", headers=dict(request.headers))
        connection.getresponse().read()
        assert connection.sock is not None
        sas.refuse_connections()
        assert connection.sock.recv(1) == b""
    finally:
        connection.close()


def test_saying_it_twice_is_saying_it_once(sas: Emulator) -> None:
    sas.accept_connections()
    sas.refuse_connections()
    sas.refuse_connections()
    sas.accept_connections()
    sas.accept_connections()
    assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200


def test_it_comes_back_by_itself(sas: Emulator) -> None:
    sas.refuse_connections(0.05)
    # Real time, because it is the event loop's clock that ends the refusal.
    until = time.monotonic() + 10
    refused = 0
    while time.monotonic() < until:
        try:
            assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200
        except ConnectionRefusedError:
            refused += 1
            time.sleep(0.01)
        else:
            break
    assert refused > 0
    assert sas.requests["DescribeOnceTask"] == 1


def test_an_end_while_it_refuses_is_clean(sas: Emulator) -> None:
    sas.refuse_connections(600)
    with socket.socket() as client:
        assert client.connect_ex((sas.host, sas.port)) == errno.ECONNREFUSED
