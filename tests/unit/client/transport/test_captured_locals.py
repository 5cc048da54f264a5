"""What an error tracker finds: every error with the local variables of all frames that it went through."""

from __future__ import annotations

import asyncio
import base64
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_aegis.client.credentials import StaticCredentials
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.exchange import exchange
from airflow_provider_aegis.client.operations import call
from airflow_provider_aegis.client.service import Service
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests.captured import captured
from tests.fakes import READ, START
from tests.unit.client.transport.drivers import Driver, service_at
from tests.unit.client.transport.loopback import Act, Request, Server, hang, raw, reply, reset, tls

SECRET = "access-key-secret-8f3a"
TOKEN = "CAIS+token/" + "0a9b8c7d6e" * 30 + "=="
PASSWORD = "the-proxys-password/+"
KEYS = Credentials("LTAI-id", SECRET, TOKEN)


def secrets_of(requests: list[Request]) -> Iterator[str]:
    """What must not be seen: what is configured, and the signatures that were sent."""
    yield from (SECRET, TOKEN, quote(TOKEN, safe=""), PASSWORD, quote(PASSWORD, safe=""))
    yield base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    for request in requests:
        authorization = request.headers.get("authorization", "")
        if "Signature=" in authorization:
            yield authorization.rpartition("Signature=")[2]


def assert_bare(error: BaseException, *servers: Server) -> str:
    seen = captured(error)
    assert "LTAI-id" in seen or isinstance(error, ConfigurationError), "no variables were captured"
    for secret in secrets_of([request for server in servers for request in server.requests]):
        assert secret not in seen
        assert secret[: len(secret) // 2 + 1] not in seen
    return seen


def service(address: str, **changes: Any) -> Service:
    return service_at(address, credentials=StaticCredentials(KEYS), **changes)


def error_of(driver: Driver, it: Service, asked: Any = READ, **how: Any) -> BaseException:
    """Return the error that a call comes to, with all of its frames."""
    try:
        driver.perform(it, exchange(it, asked, **how))
    except (SecurityCenterError, ConfigurationError) as error:
        return error
    raise AssertionError("the call has succeeded")


def echoed(request: Request) -> str:
    """Repeat everything secret in a request, in the ways in which services do."""
    signature = request.headers["authorization"].rpartition("Signature=")[2]
    token = request.headers["x-acs-security-token"]
    return f"{signature} Signature={signature} {token} {quote(token, safe='')} {quote(quote(token, safe=''), safe='')}"


def echo(answer: Callable[[str], bytes]) -> Act:
    return lambda connection, request: connection.sendall(answer(echoed(request)))


def envelope(text: str, status: str = "400 Bad", code: str = "Invalid", **more: str) -> bytes:
    fields = {"HostId": text, "RequestId": text, "Code": code, "Message": text, **more}
    body = ("{" + ", ".join(f'"{name}": "{value}"' for name, value in fields.items()) + "}").encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def head(text: str, body: bytes = b"[}") -> bytes:
    return f"HTTP/1.1 200 OK\r\nx-acs-request-id: {text}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


ACTS: dict[str, Act] = {
    "refused": echo(envelope),
    "denied": echo(lambda text: envelope(text, "403 Forbidden", "NoPermission")),
    "wrong signature": echo(lambda text: envelope(text, code="SignatureDoesNotMatch")),
    "a code": echo(lambda text: envelope(text, code=f"Invalid.{text}")),
    "escaped JSON": echo(lambda text: envelope(text.replace("/", "\\/").replace("+", "\\u002b"))),
    "failed": echo(lambda text: envelope(text, "500 Error", "ServerError")),
    "throttled": echo(lambda text: envelope(text, code="Throttling")),
    "no JSON, request id": echo(head),
    "redirect": echo(lambda text: f"HTTP/1.1 302 Found\r\nLocation: /{text}\r\nContent-Length: 0\r\n\r\n".encode()),
    "too long, request id": echo(lambda text: head(text, b"x" * 9 * 1024 * 1024)),
    "HTML": echo(lambda text: head(text, f"<html>{text}</html>".encode())),
    "status line": echo(lambda text: f"HTTP/1.1 2{text} OK\r\n\r\n".encode()),
    "no HTTP": echo(lambda text: f"{text}\r\n\r\n".encode()),
    "header name": echo(lambda text: f"HTTP/1.1 200 OK\r\n{text}: x\r\nContent-Length: 0\r\n\r\n".encode()),
    "long header": echo(lambda text: f"HTTP/1.1 200 OK\r\nx: {text * 100}\r\n\r\n".encode()),
    "length": echo(lambda text: f"HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n".encode()),
    "chunk": echo(lambda text: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}\r\n".encode()),
    "cut short": echo(lambda text: f"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{text}".encode()),
    "reset": reset,
    "closed": raw(),
    "silence": hang,
}


def then_close(act: Act) -> Act:
    """Do it, and close the connection."""

    def both(connection: socket.socket, request: Request) -> None:
        act(connection, request)
        if connection.fileno() != -1:
            connection.shutdown(socket.SHUT_WR)

    return both


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_aegis.client.exchange.MAX_ATTEMPTS", 2)
    monkeypatch.setattr("airflow_provider_aegis.client.exchange.FIRST_BACKOFF", 0.001)


@pytest.mark.parametrize("asked", [READ, START], ids=["read", "start"])
@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
def test_no_error_of_an_answer_shows_a_secret(driver: Driver, act: Act, asked: Any) -> None:
    with Server(then_close(act)) as server:
        it = service(f"http://{server.address}", read_timeout=0.2, connect_timeout=5.0)
        assert_bare(error_of(driver, it, asked), server)
    assert server.requests


def test_a_good_answer_that_repeats_secrets_is_handed_on_without_them(driver: Driver) -> None:
    digest = "sha256:" + "ab" * 32

    def act(connection: socket.socket, request: Request) -> None:
        text = f'{{"RequestId": "{echoed(request)}", "Image": "{digest}", "TaskInfo": {{"Status": "SUCCESS"}}}}'
        reply(text.encode(), x_acs_request_id=echoed(request))(connection, request)

    with Server(act) as server:
        it = service(f"http://{server.address}")
        payload = driver.perform(it, exchange(it, READ))
    assert payload["TaskInfo"] == {"Status": "SUCCESS"}
    assert payload["Image"] == digest
    for secret in secrets_of(server.requests):
        assert secret not in f"{payload}"


def test_what_is_no_secret_of_the_request_stays_as_it_is(driver: Driver) -> None:
    body = b'{"a": "Signature=0a1b, access-key-secret", "b": "%s"}' % (b"0f" * 32)
    with Server(reply(body)) as server:
        it = service(f"http://{server.address}")
        assert driver.perform(it, exchange(it, READ)) == {"a": "Signature=0a1b, access-key-secret", "b": "0f" * 32}


def through(monkeypatch: pytest.MonkeyPatch, proxy: Server) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://user:{quote(PASSWORD, safe='')}@{proxy.address}")


def proxy_echo(status: str) -> Act:
    """Refuse a tunnel, and repeat the address of the proxy and what it was told."""

    def act(connection: socket.socket, request: Request) -> None:
        told = request.headers["proxy-authorization"]
        text = f"{told} http://user:{quote(PASSWORD, safe='')}@proxy {PASSWORD}"
        reply(text.encode(), f"{status} {text}", x_acs_request_id=text)(connection, request)

    return act


@pytest.mark.parametrize("act", [*(proxy_echo(s) for s in ("407", "403", "502")), raw(b"junk\r\n\r\n"), raw(), reset])
@pytest.mark.parametrize("address", ["https://tds.example", "http://127.0.0.1:9"])
def test_a_proxy_that_refuses_gives_its_password_away_to_nobody(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, act: Act, address: str
) -> None:
    with Server(act) as proxy:
        through(monkeypatch, proxy)
        it = service(address, read_timeout=0.2)
        assert_bare(error_of(driver, it, START), proxy)
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("proxied", [True, False])
def test_an_endpoint_that_cannot_be_reached_or_trusted_shows_no_secret(
    driver: Driver, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    if proxied:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://user:{quote(PASSWORD, safe='')}@127.0.0.1:1")
    with Server(context=tls(certificate)) as server:
        for address, bundle in (
            ("http://127.0.0.1:1", None),
            ("https://nothing.invalid", None),
            (f"https://{server.address}", None),
            (f"https://{server.address}", str(tmp_path / "missing")),
        ):
            assert_bare(error_of(driver, service(address, ca_bundle=bundle)), server)


def test_a_deadline_that_passes_shows_no_secret(driver: Driver) -> None:
    with Server(hang) as server:
        it = service(f"http://{server.address}", clock=time)
        assert_bare(error_of(driver, it, deadline=time.monotonic() + 0.3), server)


def test_parameters_that_cannot_be_sent_show_no_secret(driver: Driver) -> None:
    it = service("http://127.0.0.1:1")
    assert_bare(error_of(driver, it, call("GetX", A="\ud800")))


class InterruptionError(BaseException):
    """What Airflow raises from its signal handlers."""


def test_an_interruption_in_the_middle_of_a_request_shows_no_secret(driver: Driver) -> None:
    def interrupt(*_: object) -> None:
        raise InterruptionError

    def act(connection: socket.socket, request: Request) -> None:
        signal.pthread_kill(main, signal.SIGUSR1)
        hang(connection, request)

    main = threading.main_thread().ident or 0
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with Server(act) as server:
            it = service(f"http://{server.address}")
            with pytest.raises(InterruptionError) as caught:
                driver.perform(it, exchange(it, START))
            seen = captured(caught.value)
    finally:
        signal.signal(signal.SIGUSR1, before)
    for secret in secrets_of(server.requests):
        assert secret not in seen


def test_a_cancelled_request_shows_no_secret() -> None:
    async def run(it: Service) -> None:
        async with open_transport(it) as transport:
            async with asyncio.timeout(0.2):
                await transport.perform(exchange(it, READ))

    with Server(hang) as server:
        with pytest.raises(TimeoutError) as caught:
            asyncio.run(run(service(f"http://{server.address}")))
        assert_bare(caught.value, server)


def test_the_search_finds_what_a_frame_gives_away() -> None:
    def careless(headers: dict[str, str]) -> None:
        raise ConfigurationError(f"{len(headers)} headers")

    with pytest.raises(ConfigurationError) as caught:
        careless({"x-acs-security-token": TOKEN})
    assert TOKEN in captured(caught.value)
