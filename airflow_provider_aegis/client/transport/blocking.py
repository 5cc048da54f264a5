"""Conversations performed with requests."""

from __future__ import annotations

import ssl
import time
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, NewConnectionError

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.errors import (
    NoAnswerError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.exchange import Authenticate, Conversation, Reply, Send, Signature, Sleep
from airflow_provider_aegis.client.service import Service
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.transport import (
    HEADERS,
    KEEP_IDLE_SECONDS,
    MAX_ANSWER_BYTES,
    MAX_ANSWER_SECONDS,
    READ_SIZE,
    TOO_LONG,
    TOO_SLOW,
    refused_answer,
    tls_context,
)

T = TypeVar("T")


class SignatureAuth(AuthBase):
    """Signs a request in the form in which requests puts it onto the wire."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the signed headers into a request."""
        parts = urlsplit(request.url or "")
        request.headers.update(
            self.signature.headers(
                method=request.method or "", host=str(parts.netloc), path=str(parts.path), query=str(parts.query)
            )
        )
        return request


class BlockingTransport:
    """One kept connection to a service, for one thread.

    :param service: where the calls go.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        # A session would read the whole environment for every call, and merge settings that are never set here.
        self._adapter = TlsAdapter(service.ca_bundle) if service.endpoint.scheme == "https" else HTTPAdapter()
        self._proxies = get_environ_proxies(service.endpoint.url, no_proxy=None)
        self._last_used = time.monotonic()

    def perform(self, conversation: Conversation[T]) -> T:
        """Carry a conversation through and return what it returns."""
        reply: Reply = None
        try:
            while True:
                command = conversation.send(reply)
                match command:
                    case Send():
                        reply = self._send(command)
                    case Sleep(seconds):
                        time.sleep(seconds)
                        reply = None
                    case Authenticate(refused):
                        reply = self._authenticate(refused)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            conversation.close()

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()

    def __enter__(self) -> BlockingTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _authenticate(self, refused: Credentials | None) -> Credentials | SecurityCenterError:
        try:
            return self._service.credentials.get(refused=refused)
        except SecurityCenterError as error:
            return error

    def _send(self, send: Send) -> Answer | SecurityCenterError:
        if time.monotonic() - self._last_used > KEEP_IDLE_SECONDS:
            self._adapter.close()
        request = requests.PreparedRequest()
        request.prepare(method=send.method, url=send.url, headers=HEADERS, auth=SignatureAuth(send.signature))
        try:
            return fetch(
                self._adapter, request, timeout=(send.connect_timeout, send.read_timeout), proxies=self._proxies
            )
        finally:
            self._last_used = time.monotonic()


def fetch(
    adapter: HTTPAdapter, request: requests.PreparedRequest, *, timeout: tuple[float, float], proxies: dict[str, str]
) -> Answer | SecurityCenterError:
    """Send a request and return its answer as far as that is within bounds; no redirect is followed.

    :param timeout: seconds for the connection, and for the next bytes.
    :param proxies: address of the proxy by scheme.
    """
    try:
        with adapter.send(request, stream=True, timeout=timeout, proxies=proxies) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, _read_body(response))
    except SecurityCenterError as error:
        return error
    except (requests.RequestException, HTTPError, OSError) as error:
        return _explain(error)


class TlsAdapter(HTTPAdapter):
    """Verifies with the settings of a connection.

    :param ca_bundle: path of a file with further certificate authorities to trust.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._context = tls_context(ca_bundle)
        super().__init__()

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Leave the context as it is: requests would load its own authorities into it at every connection."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Verify the endpoint by the context."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Verify the endpoint behind a proxy by the context."""
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)


def _read_body(response: requests.Response) -> bytes:
    until = time.monotonic() + MAX_ANSWER_SECONDS
    chunks: list[bytes] = []
    length = 0
    while chunk := response.raw.read1(READ_SIZE, decode_content=False):
        length += len(chunk)
        if length > MAX_ANSWER_BYTES:
            raise refused_answer(TOO_LONG, response.status_code, response.headers)
        if time.monotonic() > until:
            raise refused_answer(TOO_SLOW, response.status_code, response.headers, passing=True)
        chunks.append(chunk)
    return b"".join(chunks)


def _explain(error: Exception) -> SecurityCenterError:
    """Say of an error whether the request can have arrived."""
    reason = _root(error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UntrustedEndpointError(f"TLS could not verify the endpoint: {reason}")
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return UnreachableError(f"no connection came about: {reason}")
    if isinstance(reason, NewConnectionError):
        return UnreachableError(f"no connection came about: {reason}")
    return NoAnswerError(f"the request was sent and no answer came back: {reason}")


def _root(error: BaseException) -> BaseException:
    """The innermost of the errors that requests and urllib3 wrap into one another."""
    inner = getattr(error, "reason", None) or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
    return _root(inner) if isinstance(inner, BaseException) else error
