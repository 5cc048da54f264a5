"""One aiohttp session for an endpoint: its connections, and what its errors mean."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.transport.failures import no_answer, not_connected, untrusted
from airflow_provider_aegis.client.transport.limits import HEADERS, KEEP_IDLE_SECONDS, MAX_OVERHEAD_BYTES, oversized
from airflow_provider_aegis.client.transport.names import look_up
from airflow_provider_aegis.client.transport.proxy import Proxy, proxy_for

CLOSE_SECONDS = 1.0
# aiohttp has no class for these errors, only these words.
OVERSIZED = ("Got more than", "Too many headers")


class _NotConnectedError(aiohttp.ClientConnectionError):
    """The client could not connect, for the reason that is its cause."""


NOT_SENT = (_NotConnectedError, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(slots=True)
class Session:
    """Connections to one endpoint.

    :param proxy: the proxy that the environment names for it.
    :param context: the TLS settings of connections that are opened from now on.
    """

    connections: aiohttp.ClientSession
    proxy: Proxy | None
    context: ssl.SSLContext | bool = True
    users: int = 0

    async def close(self) -> None:
        """Close the connections."""
        with suppress(TimeoutError):  # up to 3.12.13 aiohttp waits for ever for one on which TLS was not agreed upon
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.connections.close()


def open_session(url: str, *, direct: bool = False) -> Session:
    """Open a session, which connects when it is first used.

    :param direct: not through the proxy that the environment may name.
    """
    # aiohttp's own reading of the environment would also look for a netrc, and refuse a call that has one.
    proxy = None if direct else proxy_for(url)
    connections = aiohttp.ClientSession(
        connector=_Connector(resolver=_Resolver(), keepalive_timeout=KEEP_IDLE_SECONDS, limit=0),
        headers=HEADERS,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    return Session(connections, proxy)


def explain(error: Exception) -> SecurityCenterError:
    """Return the error class that says whether the request can have arrived."""
    what = _words_of(error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return untrusted(what)
    if isinstance(error, NOT_SENT):
        return not_connected(what)
    if any(words in what for words in OVERSIZED):
        return oversized(what)
    return no_answer(what)


class _BoundedHandler(ResponseHandler):
    """Bounds what an answer has besides its body: headers, chunk sizes, trailers.

    aiohttp does so itself from 3.13.4 on. This is for the versions before, which do not change any more.
    """

    _overhead = 0
    _body: aiohttp.StreamReader | None = None

    def set_response_params(self, **params: Any) -> None:
        """Begin a request."""
        self._overhead, self._body = 0, None
        super().set_response_params(**params)

    def feed_data(self, data: tuple[Any, aiohttp.StreamReader], size: int = 0) -> None:
        """Take a head that is complete."""
        self._overhead, self._body = 0, data[1]
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead - (self._body.total_bytes if self._body else 0) > MAX_OVERHEAD_BYTES:
            self.close()
            error = aiohttp.ClientPayloadError(f"Got more than {MAX_OVERHEAD_BYTES} bytes besides the body")
            self.set_exception(error)
            if self._body:
                self._body.set_exception(error)


COUNTS_HEADERS = "max_headers" in signature(ResponseHandler.set_response_params).parameters


class _Connector(aiohttp.TCPConnector):
    """Raises errors that say that nothing was sent, also if a proxy does not open a tunnel."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if not COUNTS_HEADERS:
            self._factory = cast("partial[ResponseHandler]", partial(_BoundedHandler, loop=self._loop))

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().connect(*args, **kwargs)
        except NOT_SENT:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise _NotConnectedError from error


class _Resolver(AbstractResolver):
    """Looks up names outside of the loop's own few threads: a loop that ends would wait for them."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=kind, proto=proto, flags=numeric)
            for kind, _, proto, _, address in await asyncio.wrap_future(look_up(host, port, family))
        ]

    async def close(self) -> None:
        """Do nothing: a look-up cannot be cancelled."""


def _words_of(error: Exception) -> str:
    """Return the text of aiohttp's error without the bytes of the endpoint that it quotes."""
    match error:
        case _NotConnectedError(__cause__=Exception() as cause):
            return _words_of(cause)
        case aiohttp.ConnectionTimeoutError():  # its own text has the address that is asked for
            return "timed out"
        case aiohttp.ClientConnectorCertificateError():  # below 3.13.4 it has no os_error
            return f"{error.host}:{error.port}: {error.certificate_error}"
        case aiohttp.ClientConnectorError():  # its own text shows the TLS settings as an object
            return f"{error.host}:{error.port}: {_words_of(error.os_error)}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status} {error.message}"
        case aiohttp.ClientResponseError():
            return error.message.partition(":")[0]
        case aiohttp.ServerDisconnectedError():
            return "the endpoint closed the connection"
        case TimeoutError() if not str(error):
            return "timed out"
    return str(error) or "the connection failed"
