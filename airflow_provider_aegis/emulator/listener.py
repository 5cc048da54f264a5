"""Where the emulator listens: one address that can be closed for a while and never changes."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiohttp import web

from airflow_provider_aegis.emulator.account import Account
from airflow_provider_aegis.emulator.app import build_app
from airflow_provider_aegis.emulator.settings import Seconds, check

# The real service is reported to drop connections that idle about this long.
IDLE_SECONDS = 10.0
# A Param is sent in the query, and may be long; of the headers an STS token is the longest.
LONGEST_LINE = 1024 * 1024
LONGEST_HEADER = 64 * 1024
# How long a request may still take when the emulator ends.
LAST_SECONDS = 0.1


def bind(host: str, port: int) -> socket.socket:
    """Take an address, without listening there yet.

    :param port: 0 for a free one.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """Serves on a socket; every method belongs to one event loop.

    :param sock: bound, and not listening.
    """

    def __init__(self, *, account: Account, sock: socket.socket, ssl_context: ssl.SSLContext | None) -> None:
        self._sock = sock
        self._host, self._port = sock.getsockname()[:2]
        self._ssl_context = ssl_context
        self._runner = web.AppRunner(
            build_app(account, self),
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_HEADER,
            shutdown_timeout=LAST_SECONDS,
        )
        self._site: web.SockSite | None = None
        self._reopening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to serve."""
        await self._runner.setup()
        await self.accept()

    async def close(self) -> None:
        """Serve no more, and let go of the address."""
        self._stop_reopening()
        self._hang_up()
        await self._runner.cleanup()
        self._sock.close()

    async def accept(self) -> None:
        """Take connections; nothing changes if that is so already."""
        self._stop_reopening()
        if self._site is None:
            self._site = web.SockSite(self._runner, self._sock, ssl_context=self._ssl_context)
            await self._site.start()

    async def refuse(self, seconds: float | None, *, spare: web.RequestHandler | None = None) -> None:
        """Refuse connections and close those that are open.

        :param seconds: for how long, ``None`` until :meth:`accept`.
        :param spare: the one that stays open.
        :raises ValueError: if ``seconds`` is no span of time.
        """
        check("seconds", seconds, Seconds | None)
        self._stop_reopening()
        if self._site is not None:
            await self._site.stop()
            self._site = None
            # A socket that is bound and does not listen refuses, and nobody else is given its port meanwhile.
            self._sock = bind(self._host, self._port)
        self._hang_up(spare)
        if seconds is not None:
            self._reopening = asyncio.create_task(self._accept_later(seconds))

    async def _accept_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._reopening = None
        await self.accept()

    def _stop_reopening(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None

    def _hang_up(self, spare: web.RequestHandler | None = None) -> None:
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection is not spare:
                connection.force_close()
