"""The blocking driver: runs flows with requests."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Collection, Sequence
from http.client import HTTPException
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NewConnectionError

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
    Signature,
    Sleep,
    bounded,
)
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.boundary import Boundary, bare
from airflow_provider_aegis.client.transport.deadline import BoundedAdapter, within, words_of
from airflow_provider_aegis.client.transport.failures import no_answer, not_connected, untrusted
from airflow_provider_aegis.client.transport.fetches import join
from airflow_provider_aegis.client.transport.files import read_file
from airflow_provider_aegis.client.transport.limits import (
    HEADERS,
    KEEP_IDLE_SECONDS,
    MAX_ANSWER_BYTES,
    MAX_ANSWER_SECONDS,
    READ_SIZE,
    TOO_LONG,
    oversized,
    refused_response,
    too_slow,
)
from airflow_provider_aegis.client.transport.proxy import Proxy, proxy_for
from airflow_provider_aegis.client.transport.side_by_side import MOST_THREADS, perform
from airflow_provider_aegis.client.transport.tls import read_tls_context, trust_changed

T = TypeVar("T")


class SignatureAuth(AuthBase):
    """Signs a request in the form in which requests sends it."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the signed headers to a request."""
        parts = urlsplit(request.url or "")
        request.headers.update(
            self.signature.headers(
                method=request.method or "",
                host=str(parts.netloc),
                path=str(parts.path),
                query=str(parts.query),
                body=request.body or b"",  # type: ignore[arg-type]  # it was given as bytes
                content_type=request.headers.get("content-type"),
            )
        )
        return request


class BlockingTransport:
    """A connection to a service for one thread; a forked process opens its own.

    :param config: the client configuration.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._service = config
        # A session would read the whole environment for every call, and merge settings that are never set here.
        self._adapter: BoundedAdapter | None = None
        self._proxy = proxy_for(config.endpoint.url)
        self._last_used = time.monotonic()
        self._process = os.getpid()
        self._others: list[BlockingTransport] = []

    def run_flow(self, flow: Flow[T]) -> T:
        """Run a flow and return what it returns."""
        reply: Reply = None
        try:
            while True:
                command = flow.send(reply)
                match command:
                    case Send():
                        reply = self._send(command)
                    case Sleep(seconds):
                        time.sleep(seconds)
                        reply = None
                    case Authenticate(refused, seconds):
                        reply = self._authenticate(refused, seconds)
                    case ReadFile():
                        reply = read_file(command)
                    case Mask(secrets):
                        self._mask(secrets)
                        reply = None
                    case Join():
                        reply = join(command)
                    case SideBySide(flows):
                        reply = self._side_by_side(flows)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    def close(self) -> None:
        """Close the connection, and those that performed flows beside it."""
        for one in self._others:
            one.close()
        if self._adapter:
            self._adapter.close()

    def __enter__(self) -> BlockingTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _side_by_side(self, flows: Sequence[Flow[Any]]) -> list[Any]:
        wanted = min(len(flows), MOST_THREADS) - 1
        others, self._others = self._others, []  # if this thread is interrupted, theirs may still use them
        others += [BlockingTransport(self._service) for _ in range(wanted - len(others))]
        outcomes = perform(flows, [self, *others[:wanted]])
        self._others = others
        return outcomes

    def _authenticate(self, refused: Credentials | None, seconds: float) -> Credentials | SecurityCenterError:
        provider = self._service.credentials
        try:
            return provider.ready(refused) or self.run_flow(bounded(provider.get(refused), seconds, time.monotonic))
        except SecurityCenterError as error:
            return error

    def _mask(self, secrets: Collection[Secret]) -> None:
        for secret in secrets:
            if self._service.on_secret:
                self._service.on_secret(secret.reveal())

    def _send(self, send: Send) -> Response | SecurityCenterError | ConfigurationError:
        try:
            reply = self._reply_to(send)
        except BaseException as error:
            bare(error)
            raise
        return reply if isinstance(reply, Response) else bare(reply)

    def _reply_to(self, send: Send) -> Response | SecurityCenterError | ConfigurationError:
        if send.direct or not send.url.startswith(self._service.endpoint.url):
            return self._send_elsewhere(send)
        if self._process != os.getpid():  # the connection is the parent's, whose answers would be read here
            self._adapter, self._process = None, os.getpid()
        if time.monotonic() - self._last_used > KEEP_IDLE_SECONDS:
            self.close()
        try:
            if self._adapter is None:
                self._adapter = self._open_adapter(send, self._proxy)
            reply = _fetch(self._adapter, send)
            if isinstance(reply, UntrustedEndpointError):
                self._check_trust(self._adapter, send)
            return reply
        except SecurityCenterError as error:
            return error
        finally:
            self._last_used = time.monotonic()

    def _send_elsewhere(self, send: Send) -> Response | SecurityCenterError | ConfigurationError:
        try:
            proxy = None if send.direct else proxy_for(send.url)
            adapter = self._open_adapter(send, proxy)
        except (SecurityCenterError, ConfigurationError) as error:
            return error
        try:
            return _fetch(adapter, send)
        finally:
            adapter.close()

    def _open_adapter(self, send: Send, proxy: Proxy | None) -> BoundedAdapter:
        tls = send.url.startswith("https:")
        return BoundedAdapter(read_tls_context(self._service.ca_bundle, send.connect_timeout) if tls else None, proxy)

    def _check_trust(self, adapter: BoundedAdapter, send: Send) -> None:
        """Read the certificate authorities again if their files have changed.

        :raises UnreachableError: if they have, so that the next attempt may succeed.
        """
        if read_tls_context(self._service.ca_bundle, send.connect_timeout) is not adapter.context:
            self.close()
            self._adapter = None
            raise trust_changed()


def _fetch(adapter: BoundedAdapter, send: Send) -> Response | SecurityCenterError:
    request = requests.PreparedRequest()
    request.prepare(
        method=send.method,
        url=send.url,
        headers={**HEADERS, **send.headers},
        data=send.body or None,
        auth=SignatureAuth(send.signature) if send.signature else None,
    )
    return fetch(adapter, request, send)


def fetch(adapter: BoundedAdapter, request: requests.PreparedRequest, send: Send) -> Response | SecurityCenterError:
    """Send a request and return its answer, within the limits of size and time; no redirect is followed.

    :param send: the request with its time-outs.
    """
    boundary = Boundary(send, request.headers.get("authorization", ""), adapter.proxy)
    proxies = {"all": adapter.proxy.address} if adapter.proxy else {}
    timeout = (send.connect_timeout, send.read_timeout)
    limit = min(send.seconds, sum(timeout) + MAX_ANSWER_SECONDS)
    try:
        with (
            within(limit, str(urlsplit(request.url or "").query)),
            adapter.send(request, stream=True, timeout=timeout, proxies=proxies) as response,
        ):
            headers = {name.lower(): value for name, value in response.headers.items()}
            if not headers.get("content-length", "0").isdecimal():  # http.client reads a malformed length as none
                return NoAnswerError("the answer's Content-Length is not a number")
            return boundary.answer(response.status_code, headers, _read_body(response))
    except SecurityCenterError as error:
        return boundary.error(error)
    except (requests.RequestException, HTTPError, OSError) as error:
        return boundary.error(_explain(error))


def _read_body(response: requests.Response) -> bytes:
    until = time.monotonic() + MAX_ANSWER_SECONDS
    chunks: list[bytes] = []
    length = 0
    while chunk := response.raw.read1(READ_SIZE, decode_content=False):
        length += len(chunk)
        if length > MAX_ANSWER_BYTES:
            raise refused_response(TOO_LONG, response.status_code, response.headers)
        if time.monotonic() > until:
            raise too_slow(MAX_ANSWER_SECONDS, response.status_code, response.headers)
        chunks.append(chunk)
    return b"".join(chunks)


def _explain(error: Exception) -> SecurityCenterError:
    """Return the error class that says whether the request can have arrived."""
    reason = _root(error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return untrusted(reason)
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return not_connected(reason)
    if isinstance(reason, NewConnectionError):
        return not_connected(reason)
    if isinstance(reason, HTTPException) and str(reason).startswith("got more than"):
        return oversized(reason)
    return no_answer(words_of(reason))


def _root(error: BaseException) -> BaseException:
    """The innermost of the errors that requests and urllib3 wrap into one another."""
    inner = getattr(error, "reason", None) or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
    return _root(inner) if isinstance(inner, BaseException) else error
