"""The non-blocking driver: runs flows with aiohttp, through one session for each endpoint and event loop."""

from __future__ import annotations

import asyncio
import copy
import weakref
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import (
    ConfigurationError,
    NoAnswerError,
    SecurityCenterError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.flows.commands import (
    Authenticate,
    Flow,
    Join,
    Mask,
    ReadFile,
    Reply,
    Send,
    SideBySide,
    Sleep,
)
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.boundary import Boundary, bare
from airflow_provider_aegis.client.transport.fetches import ajoin, too_late
from airflow_provider_aegis.client.transport.files import aread_file
from airflow_provider_aegis.client.transport.limits import (
    LEAVES_HTTP,
    MAX_ANSWER_BYTES,
    MAX_ANSWER_SECONDS,
    READ_SIZE,
    TOO_LONG,
    refused_response,
    too_slow,
)
from airflow_provider_aegis.client.transport.session import Session, explain, open_session
from airflow_provider_aegis.client.transport.single_flight import SingleFlight
from airflow_provider_aegis.client.transport.tls import aread_tls_context, trust_changed

T = TypeVar("T")

# aiohttp's own time-outs may be so late, and what they say of a connection has to come first.
SLACK = 1.0


class NonblockingTransport:
    """Runs flows on an event loop.

    :param config: the client configuration.
    :param session: the connections, shared by all clients of the endpoint on this loop.
    """

    def __init__(self, config: ClientConfig, session: Session) -> None:
        self._service = config
        self._session = session
        self._trusting = not config.endpoint.url.startswith("https:")

    async def run_flow(self, flow: Flow[T]) -> T:
        """Run a flow and return what it returns."""
        reply: Reply = None
        try:
            while True:
                command = flow.send(reply)
                match command:
                    case Send():
                        reply = await self._send(command)
                    case Sleep(seconds):
                        await asyncio.sleep(seconds)
                        reply = None
                    case Authenticate(refused, seconds):
                        reply = await self._authenticate(refused, seconds)
                    case ReadFile():
                        reply = await aread_file(command)
                    case Mask(secrets):
                        await self._mask(secrets)
                        reply = None
                    case Join():
                        reply = await ajoin(command)
                    case SideBySide(flows):
                        reply = await self._side_by_side(flows)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    async def _side_by_side(self, flows: Sequence[Flow[Any]]) -> list[Any]:
        tasks = [asyncio.create_task(self.run_flow(flow)) for flow in flows]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return [None if isinstance(outcome, asyncio.CancelledError) else outcome for outcome in outcomes]

    async def _authenticate(self, refused: Credentials | None, seconds: float) -> Credentials | SecurityCenterError:
        config = self._service
        try:
            if credentials := config.credentials.ready(refused):
                return credentials
            # It continues for the others if the caller that started it is cancelled, or its time is up.
            fetch = _fetches.do((id(config.credentials), refused), lambda: _obtain(config, refused))
            return await asyncio.wait_for(fetch, _bounded(seconds))
        except TimeoutError:
            return too_late()
        except SecurityCenterError as error:
            return copy.copy(error)  # many may have waited for the same credentials

    async def _mask(self, secrets: Collection[Secret]) -> None:
        config = self._service
        for secret in secrets:
            if config.on_secret_async:
                await config.on_secret_async(secret.reveal())
            elif config.on_secret:
                await asyncio.to_thread(config.on_secret, secret.reveal())

    async def _send(self, send: Send) -> Response | SecurityCenterError | ConfigurationError:
        try:
            reply = await self._reply_to(send)
        except BaseException as error:
            bare(error)
            raise
        return reply if isinstance(reply, Response) else bare(reply)

    async def _reply_to(self, send: Send) -> Response | SecurityCenterError | ConfigurationError:
        if send.direct or not send.url.startswith(self._service.endpoint.url):
            return await self._send_elsewhere(send)
        session = self._session
        try:
            if not self._trusting:  # once for each transport, as the files may have changed
                session.context = await aread_tls_context(self._service.ca_bundle, send.connect_timeout)
                self._trusting = True
            used = session.context
            reply = await _fetch(session, send)
            if isinstance(reply, UntrustedEndpointError):
                session.context = await aread_tls_context(self._service.ca_bundle, send.connect_timeout)
                if session.context is not used:
                    return trust_changed()
            return reply
        except SecurityCenterError as error:
            return error

    async def _send_elsewhere(self, send: Send) -> Response | SecurityCenterError | ConfigurationError:
        try:
            elsewhere = open_session(send.url, direct=send.direct)
        except ConfigurationError as error:
            return error
        try:
            if send.url.startswith("https:"):
                elsewhere.context = await aread_tls_context(self._service.ca_bundle, send.connect_timeout)
            return await _fetch(elsewhere, send)
        except (SecurityCenterError, ConfigurationError) as error:
            return error
        finally:
            await elsewhere.close()


async def _obtain(config: ClientConfig, refused: Credentials | None) -> Credentials:
    async with open_transport(config) as transport:  # which those that wait may leave
        return await transport.run_flow(config.credentials.get(refused))


async def _fetch(session: Session, send: Send) -> Response | SecurityCenterError:
    url = URL(send.url, encoded=True)
    headers = dict(send.headers)
    if send.signature:
        headers |= send.signature.headers(
            method=send.method,
            host=url.raw_authority,
            path=url.raw_path,
            query=url.raw_query_string,
            body=send.body,
            content_type=headers.get("content-type"),
        )
    proxy = session.proxy
    boundary = Boundary(send, headers.get("authorization", ""), proxy)
    for_proxy = proxy.headers() if proxy else {}
    if for_proxy and url.scheme == "http":  # there is no tunnel that is asked for with them
        headers |= for_proxy
    limit = min(send.seconds, send.connect_timeout + send.read_timeout + MAX_ANSWER_SECONDS)
    timer = asyncio.timeout(_bounded(limit + SLACK))
    try:
        async with (
            timer,
            session.connections.request(
                send.method,
                url,
                headers=headers,
                data=send.body or None,
                skip_auto_headers=("Content-Type",),
                allow_redirects=False,
                proxy=proxy.address if proxy else None,
                proxy_headers=for_proxy,
                ssl=session.context,
                timeout=_timeouts(send.connect_timeout, send.read_timeout),
            ) as response,
        ):
            if response.status == HTTPStatus.SWITCHING_PROTOCOLS:  # aiohttp drops all other interim answers
                response.close()
                return NoAnswerError(LEAVES_HTTP)
            return boundary.answer(response.status, response.headers, await _read_body(response))
    except SecurityCenterError as error:
        return boundary.error(error)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return boundary.error(too_slow(limit) if timer.expired() else explain(error))


@lru_cache(maxsize=16)
def _timeouts(connect: float, read: float) -> aiohttp.ClientTimeout:
    # Its connect has the look-up of the name in it.
    return aiohttp.ClientTimeout(total=None, connect=_bounded(connect), sock_read=_bounded(read))


def _bounded(seconds: float) -> float | None:
    return None if seconds == float("inf") else seconds


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    if response.content.is_eof():  # as a rule all of it came with the headers: no need for a timer
        return response.content.read_nowait()
    chunks: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(MAX_ANSWER_SECONDS):
            while chunk := await response.content.read(READ_SIZE):
                length += len(chunk)
                if length > MAX_ANSWER_BYTES:
                    raise refused_response(TOO_LONG, response.status, response.headers)
                chunks.append(chunk)
    except aiohttp.ServerTimeoutError:
        raise
    except TimeoutError as error:
        raise too_slow(MAX_ANSWER_SECONDS, response.status, response.headers) from error
    return b"".join(chunks)


_fetches: SingleFlight[Credentials] = SingleFlight()
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str | None], Session]] = (
    weakref.WeakKeyDictionary()
)


@asynccontextmanager
async def open_transport(config: ClientConfig) -> AsyncIterator[NonblockingTransport]:
    """Join this loop's session for the service's endpoint; the last one to leave closes it."""
    loop = asyncio.get_running_loop()
    sessions = _loops.setdefault(loop, {})
    key = (config.endpoint.url, config.ca_bundle)
    if key not in sessions:
        sessions[key] = open_session(config.endpoint.url)
    session = sessions[key]
    session.users += 1
    try:
        yield NonblockingTransport(config, session)
    finally:
        session.users -= 1
        if not session.users:
            del sessions[key]
            if not sessions:
                _loops.pop(loop, None)
            await session.close()
