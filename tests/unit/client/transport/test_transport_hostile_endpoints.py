"""Endpoints that mean harm: whatever they answer is bounded, refused and named, by both transports alike."""

from __future__ import annotations

import gzip
import itertools
import re
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from airflow_provider_aegis.client.errors import (
    InvalidRequestError,
    NoAnswerError,
    OutcomeUnknownError,
    ProtocolError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.flows import exchange as flows
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.operations import Call
from airflow_provider_aegis.client.transport import nonblocking
from airflow_provider_aegis.client.transport.limits import MAX_ANSWER_BYTES
from tests.fakes import READ, START
from tests.unit.client.transport.drivers import Driver, service_at
from tests.unit.client.transport.loopback import Act, Request, Server, listener, old_tls, raw, reply, tls

MIB = 1024 * 1024
GIB = 1024 * MIB
OK_HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# The time-outs, and the seconds for an answer in all, in the rows that are about them. The longer ones are for a
# machine that is too busy to get as far as it should in the shorter.
PATIENCES = (0.2, 2.0, 20.0)
# How long a row may take before it counts as a hang: far more than any needs, on a busy machine as well.
HANG = 120.0
NESTED = 10_000


def dripping(first: bytes, pieces: Iterator[bytes]) -> Act:
    """Send pieces one by one, as fast as no time-out for the next bytes minds."""

    def act(connection: socket.socket, _: Request) -> None:
        connection.sendall(first)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)

    return act


def flooding(first: bytes, piece: bytes) -> Act:
    """Send a piece again and again, as fast as anybody listens."""

    def act(connection: socket.socket, _: Request) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return act


def body(text: bytes, status: str = "200 OK") -> Act:
    return reply(text, status=status)


def refusal(code: str, message: str) -> Act:
    return body(f'{{"HostId": "h", "RequestId": "R", "Code": "{code}", "Message": "{message}"}}'.encode(), "400 Bad")


@dataclass(frozen=True)
class Row:
    """What an endpoint does, the error that comes of it, and words of its text."""

    act: Callable[[], Act]
    error: type[SecurityCenterError]
    words: str

    @property
    def patiences(self) -> tuple[float, ...]:
        """How long an answer may take: what is about something else is never ended for that."""
        return PATIENCES if self.words in ("not complete after", "the answer") else (HANG,)


def endless(letter: bytes = b"x") -> Iterator[bytes]:
    return itertools.repeat(letter)


ROWS = {
    # Slowly
    "a body byte by byte": Row(lambda: dripping(OK_HEAD + b"\r\n", endless()), ProtocolError, "not complete after"),
    "a head byte by byte": Row(lambda: dripping(OK_HEAD + b"a: ", endless()), ProtocolError, "not complete after"),
    "a first line byte by byte": Row(
        lambda: dripping(b"HTTP/1.1 200 ", endless()), ProtocolError, "not complete after"
    ),
    "headers one by one": Row(lambda: dripping(OK_HEAD, endless(b"a: b\r\n")), ProtocolError, "not complete after"),
    "a chunk's size byte by byte": Row(lambda: dripping(CHUNKED, endless(b"0")), ProtocolError, "not complete after"),
    "one interim answer after another": Row(
        lambda: dripping(b"", endless(b"HTTP/1.1 100 Continue\r\n\r\n")), ProtocolError, "not complete after"
    ),
    "trailers one by one": Row(
        lambda: dripping(CHUNKED + b"2\r\n{}\r\n0\r\n", endless(b"a: b\r\n")), ProtocolError, "not complete after"
    ),
    # Too much
    "an endless body": Row(lambda: flooding(OK_HEAD + b"\r\n", b"x" * MIB), ProtocolError, "longer than 8 MiB"),
    "1 GB": Row(
        lambda: raw(OK_HEAD + f"Content-Length: {GIB}\r\n\r\n".encode(), *itertools.repeat(b"x" * MIB, 1024)),
        ProtocolError,
        "longer than 8 MiB",
    ),
    "1 GB in chunks": Row(
        lambda: raw(CHUNKED, *itertools.repeat(b"100000\r\n" + b"x" * MIB + b"\r\n", 1024), b"0\r\n\r\n"),
        ProtocolError,
        "longer than 8 MiB",
    ),
    "endless headers": Row(
        lambda: flooding(OK_HEAD, b"a: b\r\n" * 100), ProtocolError, "head of the answer is too long"
    ),
    "an endless header": Row(
        lambda: flooding(OK_HEAD + b"a: ", b"x" * MIB), ProtocolError, "head of the answer is too long"
    ),
    "an endless first line": Row(
        lambda: flooding(b"HTTP/1.1 200 ", b"x" * MIB), ProtocolError, "head of the answer is too long"
    ),
    "interim answers as fast as they come": Row(
        lambda: flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), ProtocolError, "not complete after"
    ),
    # One of the libraries counts here, and of the other the time is bounded.
    "an endless chunk extension": Row(lambda: flooding(CHUNKED + b"2;a=", b"x" * MIB), ProtocolError, "the answer"),
    "endless trailers": Row(
        lambda: flooding(CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n" * 100), ProtocolError, "the answer"
    ),
    "a compressed bomb": Row(
        lambda: reply(gzip.compress(b"[" * 50 * MIB), content_encoding="gzip"), ProtocolError, "not utf-8 text"
    ),
    # Lies
    "a length that is too long": Row(
        lambda: raw(OK_HEAD + b"Content-Length: 99\r\n\r\n{}"), NoAnswerError, "no answer came back"
    ),
    "a length below zero": Row(lambda: raw(OK_HEAD + b"Content-Length: -1\r\n\r\n{}"), NoAnswerError, "Content-Length"),
    "no UTF-8": Row(lambda: body(b'{"a": "\xff\xfe"}'), ProtocolError, "not utf-8 text"),
    "10,000 nested arrays": Row(lambda: body(b"[" * NESTED + b"]" * NESTED), ProtocolError, "nested too deeply"),
    "10,000 nested objects": Row(
        lambda: body(b'{"a":' * NESTED + b"1" + b"}" * NESTED), ProtocolError, "nested too deeply"
    ),
    "an int of 5000 digits": Row(lambda: body(b'{"a": ' + b"9" * 5000 + b"}"), ProtocolError, "too large"),
    "a huge exponent": Row(lambda: body(b'{"a": 1e999999999}'), ProtocolError, "too large"),
    "not a number": Row(lambda: body(b'{"a": NaN}'), ProtocolError, "too large, or NaN"),
    "a code twice": Row(
        lambda: body(b'{"Code": "OK", "HostId": "h", "Code": "Missing.Last"}'), InvalidRequestError, "Missing.Last"
    ),
    "control characters": Row(
        lambda: refusal("Invalid\\u001b[31m\\n", "one\\ntwo\\u001b[2J\\u2028\\u202e"),
        InvalidRequestError,
        r"one\ntwo\x1b[2J\u2028\u202e. (Invalid\x1b[31m\n, HTTP 400, RequestId R)",
    ),
    "a message of a megabyte": Row(lambda: refusal("InvalidX", "m" * MIB), InvalidRequestError, "m" * 500 + "…"),
}


@pytest.fixture(autouse=True)
def _impatient(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver.module, "MAX_ANSWER_SECONDS", HANG)
    monkeypatch.setattr(nonblocking, "SLACK", 0.1)
    monkeypatch.setattr(flows, "MAX_ATTEMPTS", 1)


def called(
    driver: Driver,
    address: str,
    call: Call = READ,
    *,
    patience: float = HANG,
    deadline: float | None = None,
    **changes: Any,
) -> SecurityCenterError:
    """Make a call, and return the error that comes of it; a call that hangs fails the test and not the run."""
    config = service_at(address, **{"connect_timeout": patience, "read_timeout": patience, "clock": time} | changes)
    caught: list[BaseException] = []

    def run() -> None:
        try:
            driver.run_flow(config, exchange(config, call, deadline=deadline))
        except BaseException as error:  # noqa: BLE001  (whatever it is, the test judges it)
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(4 * HANG)
    assert not thread.is_alive(), "it hangs"
    (error,) = caught
    assert isinstance(error, SecurityCenterError), repr(error)
    return error


@contextmanager
def within_memory(most: int) -> Iterator[None]:
    """Fail if more memory than this is taken at any moment, the server's in the same process included."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak / MIB:.0f} MiB"


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_an_answer_is_bounded_refused_and_named(driver: Driver, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    for patience in row.patiences:
        monkeypatch.setattr(driver.module, "MAX_ANSWER_SECONDS", patience)
        with Server(row.act()) as server, within_memory(48 * MIB):
            error = called(driver, f"http://{server.address}", patience=patience)
        if row.words in str(error):
            break
    assert type(error) is row.error
    assert row.words in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 2000
    assert len(server.requests) == 1


@pytest.mark.parametrize("row", ["1 GB", "1 GB in chunks", "an endless body"])
def test_the_endpoint_sees_that_nobody_takes_more(driver: Driver, row: str) -> None:
    """What was sent beyond the limit is no more than what the system's sockets hold."""
    sent: list[int] = []

    class Counting:
        """A connection that counts what it takes."""

        def __init__(self, connection: socket.socket) -> None:
            self._connection = connection

        def sendall(self, piece: bytes) -> None:
            self._connection.sendall(piece)
            sent.append(len(piece))

    act = ROWS[row].act()
    with Server(lambda connection, request: act(cast("socket.socket", Counting(connection)), request)) as server:
        called(driver, f"http://{server.address}")
        assert server.closed.acquire(timeout=HANG)
    assert MAX_ANSWER_BYTES - MIB < sum(sent) < 5 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent", "300 Many"])
def test_a_redirect_is_named_and_the_other_host_never_hears_of_it(driver: Driver, status: str) -> None:
    with Server() as other:
        with Server(reply(status=status, location=f"http://{other.address}/")) as server:
            error = called(driver, f"http://{server.address}")
        assert type(error) is ProtocolError
        assert "redirect" in str(error)
        assert other._connections == []


def test_a_certificate_that_nobody_vouches_for_is_named_and_nothing_is_sent(driver: Driver, certificate: Path) -> None:
    with Server(context=tls(certificate)) as server:
        error = called(driver, f"https://{server.address}", START)
    assert type(error) is UntrustedEndpointError
    assert "self-signed certificate" in str(error)
    assert server.requests == []


HANDSHAKES: dict[str, Callable[[socket.socket], object]] = {
    "no TLS": lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "another version": old_tls,
    "closed": lambda connection: None,
    "reset": lambda connection: connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
    "silence": lambda connection: connection.recv(1),
}


@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.parametrize("call", [READ, START], ids=["read", "start"])
def test_a_handshake_that_fails_says_that_nothing_was_sent(driver: Driver, name: str, call: Call) -> None:
    """Else a start that never left would be told as one of which it is open whether it arrived."""
    with listener(HANDSHAKES[name]) as address:
        error = called(driver, f"https://{address}", call, connect_timeout=0.2 if name == "silence" else HANG)
    assert type(error) is UnreachableError
    assert "could not connect" in str(error)


@pytest.mark.parametrize("row", ["a body byte by byte", "a head byte by byte", "one interim answer after another"])
def test_an_answer_that_drips_does_not_outlive_the_deadline_of_its_call(driver: Driver, row: str) -> None:
    for seconds in (0.3, 3, 30):  # where the machine is so busy that the call had not even begun, it is given more time
        with Server(ROWS[row].act()) as server:
            error = called(driver, f"http://{server.address}", deadline=time.monotonic() + seconds)
        if server.requests:
            break
    assert type(error) is ProtocolError
    assert (found := re.search(r"not complete after ([\d.]+) s", str(error)))
    assert float(found[1]) <= seconds


@pytest.mark.parametrize("row", ["a body byte by byte", "endless headers", "1 GB", "10,000 nested arrays"])
def test_of_a_start_that_is_answered_so_it_stays_open_whether_it_arrived(
    driver: Driver, row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience in ROWS[row].patiences:
        monkeypatch.setattr(driver.module, "MAX_ANSWER_SECONDS", patience)
        with Server(ROWS[row].act()) as server:
            error = called(driver, f"http://{server.address}", START, patience=patience)
        if ROWS[row].words in str(error):
            break
    assert type(error) is OutcomeUnknownError
    assert ROWS[row].words in str(error)
