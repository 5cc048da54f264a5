"""What older versions of aiohttp lack: a bound of what an answer has besides its body, and of the time to close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
import pytest

from airflow_provider_aegis.client.errors import ProtocolError
from airflow_provider_aegis.client.transport import session
from airflow_provider_aegis.client.transport.limits import MAX_OVERHEAD_BYTES

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024


class Transport(asyncio.Transport):
    """Takes note of being closed."""

    closed = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def received(*answers: Iterable[bytes]) -> tuple[bool, BaseException | None]:
    """Have a connection receive some answers, each in pieces; return whether it was closed, and the error."""
    handler = session._BoundedHandler(asyncio.get_running_loop())
    transport = Transport()
    handler.connection_made(transport)
    error: BaseException | None = None
    for pieces in answers:
        handler.set_response_params(read_until_eof=True, auto_decompress=False)
        body: Any = None
        for piece in pieces:
            if transport.closed:
                break
            handler.data_received(piece)
            if body is None and handler.exception() is None and handler._buffer:
                _, body = await handler.read()
            if body is not None and body.exception() is None:
                body.read_nowait()
        error = handler.exception() or (body and body.exception())
    return transport.closed, error


def chunks(count: int, piece: bytes) -> list[bytes]:
    return [HEAD, *[b"%x\r\n%b\r\n" % (len(piece), piece)] * count, b"0\r\n\r\n"]


ENDLESS: dict[str, Callable[[], list[bytes]]] = {
    "headers": lambda: [b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n" * 20] * 10_000],
    "trailers": lambda: [HEAD + b"2\r\n{}\r\n0\r\n", *[b"a: b\r\n" * 20] * 10_000],
    "chunks of a byte": lambda: chunks(100_000, b"x"),
}


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=list(ENDLESS))
def test_what_an_answer_has_besides_its_body_is_bounded(pieces: Callable[[], list[bytes]]) -> None:
    closed, error = asyncio.run(received(pieces()))
    assert closed
    assert error is not None
    if not session.COUNTS_HEADERS:  # otherwise aiohttp may have counted first
        assert type(session.explain(error)) is ProtocolError  # type: ignore[arg-type]
        assert str(error) == f"Got more than {MAX_OVERHEAD_BYTES} bytes besides the body"


def test_a_long_body_is_no_overhead_and_each_answer_is_counted_by_itself() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 40 + b"Content-Length: 2\r\n\r\n"
    answers = [[head + b"{}"], chunks(2048, b"x" * 4096), [head + b"{}"]]
    assert asyncio.run(received(*answers)) == (False, None)


@pytest.mark.skipif(session.COUNTS_HEADERS, reason="this aiohttp counts headers itself")
def test_below_3_13_4_every_connection_is_bounded() -> None:
    async def factory() -> Any:
        opened = session.open_session("http://127.0.0.1:1")
        handler = opened.connections.connector._factory()  # type: ignore[union-attr]
        await opened.close()
        return handler

    assert isinstance(asyncio.run(factory()), session._BoundedHandler)


def test_closing_a_session_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def close() -> bool:
        opened = session.open_session("http://127.0.0.1:1")
        really = opened.connections.close

        async def hang(_: aiohttp.ClientSession) -> None:
            await really()
            await asyncio.Event().wait()

        monkeypatch.setattr(aiohttp.ClientSession, "close", hang)
        await opened.close()
        return opened.connections.closed

    monkeypatch.setattr(session, "CLOSE_SECONDS", 0.01)
    assert asyncio.run(asyncio.wait_for(close(), 30))
