"""The connections of the blocking transport: an answer must be complete by the deadline of its request.

The time-out of a socket starts again with every byte, so a head that arrives byte by byte, or one interim answer after
another, would block its reader for ever. And an error before the connection is open differs from one after it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, HTTPResponse, RemoteDisconnected
from io import BufferedReader, RawIOBase
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.connection import create_connection

from airflow_provider_aegis.client.transport.failures import not_connected, untrusted
from airflow_provider_aegis.client.transport.limits import LEAVES_HTTP, too_slow
from airflow_provider_aegis.client.transport.names import look_up
from airflow_provider_aegis.client.transport.proxy import Proxy

_own = threading.local()


@contextmanager
def within(seconds: float, query: str = "") -> Iterator[None]:
    """Limit the time of the answers that this thread waits for.

    :param query: what its request asks for. Only the connection learns of it: urllib3 logs what the adapter hands on.
    """
    before = _limit(), _query()
    _own.limit, _own.query = (seconds, time.monotonic() + seconds), query
    try:
        yield
    finally:
        _own.limit, _own.query = before


def _query() -> str:
    return getattr(_own, "query", "")


def _limit() -> tuple[float, float]:
    return getattr(_own, "limit", (float("inf"), float("inf")))


class _Bytes(RawIOBase):
    """The bytes of one answer, by the time that its request has."""

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self._pause = sock.gettimeout() or float("inf")
        self._seconds, self._until = _limit()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        left = self._until - time.monotonic()
        if left < self._pause:
            self._sock.settimeout(max(left, 0.001))
        try:
            if left > 0:
                return self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() < self._until:
                raise
        raise too_slow(self._seconds)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(_Bytes(self.fp.detach(), sock))

    def begin(self) -> None:
        """Read the head of the answer, and drop the interim ones before it; http.client drops those of status 100."""
        super().begin()
        while 100 <= self.status < 200:
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise HTTPException(LEAVES_HTTP)
            self.headers = self.msg = None  # type: ignore[assignment]  # as they are before anything is read
            super().begin()
        if self.msg.defects and self.msg.get_payload():  # lines that are no headers, which urllib3 would log
            raise HTTPException("the head of the answer is malformed")


def words_of(error: BaseException) -> str:
    """Return an error's text without the bytes that the other side sent in place of HTTP."""
    foreign = isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected)
    return "the answer is not HTTP" if foreign else str(error)


class _Connecting:
    """Raises errors that say that nothing was sent."""

    response_class: Any = _Answer
    host: str
    port: int
    timeout: Any
    source_address: tuple[str, int] | None
    socket_options: Any

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except ssl.SSLCertVerificationError as error:
            raise untrusted(error) from error
        except (OSError, HTTPError, HTTPException) as error:
            raise not_connected(words_of(error)) from error

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        """Ask for an address with its query."""
        super().putrequest(method, f"{url}?{query}" if (query := _query()) else url, *args, **kwargs)  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        """Connect as urllib3 does, but within the time-out, which there begins anew with every address of the host."""
        until = time.monotonic() + self.timeout
        try:
            addresses = look_up(self.host, self.port).result(self.timeout)
        except TimeoutError:
            raise TimeoutError(f"{self.host} was not looked up within {self.timeout:.3g} s") from None
        failure = OSError(f"{self.host} has no address")
        for tried, (*_, address) in enumerate(addresses):
            share = (until - time.monotonic()) / (len(addresses) - tried)
            try:
                found = create_connection(
                    (address[0], self.port), max(share, 0.001), self.source_address, self.socket_options
                )
            except OSError as error:
                failure = error
            else:
                found.settimeout(max(until - time.monotonic(), 0.001))
                return found
        raise failure


class _HttpConnection(_Connecting, HTTPConnection):
    pass


class _HttpsConnection(_Connecting, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class BoundedAdapter(HTTPAdapter):
    """Keeps connections as they are above; those to an endpoint over TLS verify by the settings of a connection.

    :param context: the TLS settings, for an endpoint that is asked over TLS.
    :param proxy: the proxy of all requests.
    """

    def __init__(self, context: ssl.SSLContext | None, proxy: Proxy | None) -> None:
        self.context = context
        self.proxy = proxy
        self._tls: dict[str, Any] = {"ssl_context": context} if context else {}
        super().__init__()

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Leave the context as it is: requests would load its own authorities into it at every connection."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Verify the endpoint by the context."""
        super().init_poolmanager(*args, **(self._tls | kwargs))
        _bound(self.poolmanager)

    def request_url(self, *args: Any, **kwargs: Any) -> Any:
        """Return the path to request, without the query."""
        return super().request_url(*args, **kwargs).partition("?")[0]

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002  (its address has no password in it)
        """Return the headers for the proxy only."""
        return self.proxy.headers() if self.proxy else {}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Verify the endpoint behind a proxy by the context."""
        manager = super().proxy_manager_for(proxy, **(self._tls | kwargs))
        if isinstance(manager, ProxyManager):  # one for SOCKS has connections of its own
            _bound(manager)
        return manager


def _bound(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = _POOLS
