"""What an error tracker finds: every error with the local variables of all frames that it went through."""

from __future__ import annotations

import asyncio
import base64
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials import StaticCredentials
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests.captured import captured
from tests.fakes import READ, START
from tests.unit.client.transport.drivers import Driver, service_at
from tests.unit.client.transport.echoes import ECHOES, SUCCESS, refused_tunnel, signature_of
from tests.unit.client.transport.loopback import Act, Request, Server, hang, raw, reply, reset, tls

SECRET = "access-key-secret-8f3a"
TOKEN = "CAIS+token/" + "0a9b8c7d6e" * 30 + "=="
PASSWORD = "the-proxys-password/+"
KEYS = Credentials("LTAI-id", SECRET, TOKEN)


def secrets_of(requests: list[Request]) -> Iterator[str]:
    """What must not be seen: what is configured, and the signatures that were sent."""
    yield from (SECRET, TOKEN, quote(TOKEN, safe=""), PASSWORD, quote(PASSWORD, safe=""))
    yield base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    yield from filter(None, map(signature_of, requests))


def assert_bare(error: BaseException, *servers: Server) -> str:
    seen = captured(error)
    assert "LTAI-id" in seen or isinstance(error, ConfigurationError), "no variables were captured"
    for secret in secrets_of([request for server in servers for request in server.requests]):
        assert secret not in seen
        assert secret[: len(secret) // 2 + 1] not in seen
    return seen


def config(address: str, **changes: Any) -> ClientConfig:
    return service_at(address, credentials=StaticCredentials(KEYS), **changes)


def error_of(driver: Driver, it: ClientConfig, asked: Any = READ, **how: Any) -> BaseException:
    """Return the error that a call comes to, with all of its frames."""
    try:
        driver.run_flow(it, exchange(it, asked, **how))
    except (SecurityCenterError, ConfigurationError) as error:
        return error
    raise AssertionError("the call has succeeded")


ACTS: dict[str, Act] = {**ECHOES, "reset": reset, "closed": raw(), "silence": hang}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_aegis.client.flows.exchange.MAX_ATTEMPTS", 2)
    monkeypatch.setattr("airflow_provider_aegis.client.flows.exchange.FIRST_BACKOFF", 0.001)


@pytest.mark.parametrize("asked", [READ, START], ids=["read", "start"])
@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
def test_no_error_of_an_answer_shows_a_secret_and_nothing_is_logged(
    driver: Driver, act: Act, asked: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(act) as server, caplog.at_level(logging.DEBUG):
        it = config(f"http://{server.address}", read_timeout=0.2, connect_timeout=5.0)
        assert_bare(error_of(driver, it, asked), server)
    assert server.requests
    for secret in secrets_of(server.requests):
        assert secret not in caplog.text


def test_a_good_answer_that_repeats_secrets_is_handed_on_without_them(driver: Driver) -> None:
    with Server(SUCCESS) as server:
        it = config(f"http://{server.address}")
        payload = driver.run_flow(it, exchange(it, READ))
    assert payload["TaskInfo"]["Status"] == "SUCCESS"
    assert "*** Signature=*** ***" in payload["RequestId"]
    for secret in secrets_of(server.requests):
        assert secret not in f"{payload}"


def test_what_is_no_secret_of_the_request_stays_as_it_is(driver: Driver) -> None:
    body = b'{"a": "Signature=0a1b, access-key-secret", "b": "%s"}' % (b"0f" * 32)
    with Server(reply(body)) as server:
        it = config(f"http://{server.address}")
        assert driver.run_flow(it, exchange(it, READ)) == {"a": "Signature=0a1b, access-key-secret", "b": "0f" * 32}


def through(monkeypatch: pytest.MonkeyPatch, proxy: Server) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://user:{quote(PASSWORD, safe='')}@{proxy.address}")


@pytest.mark.parametrize(
    "act", [*(refused_tunnel(s) for s in ("407", "403", "502")), raw(b"junk\r\n\r\n"), raw(), reset]
)
@pytest.mark.parametrize("address", ["https://tds.example", "http://127.0.0.1:9"])
def test_a_proxy_that_refuses_gives_its_password_away_to_nobody(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, act: Act, address: str
) -> None:
    with Server(act) as proxy:
        through(monkeypatch, proxy)
        it = config(address, read_timeout=0.2)
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
            assert_bare(error_of(driver, config(address, ca_bundle=bundle)), server)


def test_a_deadline_that_passes_shows_no_secret(driver: Driver) -> None:
    with Server(hang) as server:
        it = config(f"http://{server.address}", clock=time)
        assert_bare(error_of(driver, it, deadline=time.monotonic() + 0.3), server)


def test_parameters_that_cannot_be_sent_show_no_secret(driver: Driver) -> None:
    it = config("http://127.0.0.1:1")
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
            it = config(f"http://{server.address}")
            with pytest.raises(InterruptionError) as caught:
                driver.run_flow(it, exchange(it, START))
            seen = captured(caught.value)
    finally:
        signal.signal(signal.SIGUSR1, before)
    for secret in secrets_of(server.requests):
        assert secret not in seen


def test_a_cancelled_request_shows_no_secret() -> None:
    async def run(it: ClientConfig) -> None:
        async with open_transport(it) as transport:
            async with asyncio.timeout(0.2):
                await transport.run_flow(exchange(it, READ))

    with Server(hang) as server:
        with pytest.raises(TimeoutError) as caught:
            asyncio.run(run(config(f"http://{server.address}")))
        assert_bare(caught.value, server)


def test_the_search_finds_what_a_frame_gives_away() -> None:
    def careless(headers: dict[str, str]) -> None:
        raise ConfigurationError(f"{len(headers)} headers")

    with pytest.raises(ConfigurationError) as caught:
        careless({"x-acs-security-token": TOKEN})
    assert TOKEN in captured(caught.value)
