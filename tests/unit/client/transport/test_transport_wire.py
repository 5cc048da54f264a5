"""What both transports put onto the wire, and what they take from it."""

from __future__ import annotations

import gzip

import pytest

from airflow_provider_aegis.client.errors import NoAnswerError, ProtocolError
from airflow_provider_aegis.client.flows.exchange import Flow
from airflow_provider_aegis.client.protocol import signing
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.transport.limits import KEEP_IDLE_SECONDS, MAX_ANSWER_BYTES
from tests.unit.client.transport.drivers import KEYS, QUERY, Driver, ask, ask_once, request, service_at
from tests.unit.client.transport.loopback import Server, endless, in_turn, raw, reply, reset

MIB = 1024 * 1024


def test_the_request_is_on_the_wire_as_it_was_signed(driver: Driver, server: Server) -> None:
    config = service_at(f"http://{server.address}")
    driver.run_flow(config, ask(config))
    (received,) = server.requests
    assert received.line == f"POST /?{QUERY} HTTP/1.1"
    headers = received.headers
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert signed == sorted(name for name in headers if name == "host" or name.startswith("x-acs-"))
    assert headers["authorization"] == signing.authorization(
        method="POST",
        query=received.target.removeprefix("/?"),
        headers={name: headers[name] for name in signed},
        payload_hash=signing.sha256_hex(b""),
        credentials=KEYS,
    )


def test_the_headers_are_these_and_no_others(driver: Driver, server: Server) -> None:
    config = service_at(f"http://{server.address}")
    driver.run_flow(config, ask(config))
    headers = server.requests[0].headers
    assert headers.pop("authorization").startswith("ACS3-HMAC-SHA256 Credential=test-access-key-id,")
    assert headers.pop("user-agent").startswith("airflow-provider-aegis/")
    headers.pop("connection", None)
    assert headers == {
        "host": server.address,
        "content-length": "0",
        "accept": "application/json",
        "accept-encoding": "identity",
        "x-acs-action": "GenerateOnceTask",
        "x-acs-version": "2018-12-03",
        "x-acs-date": "2026-01-02T03:04:05Z",
        "x-acs-signature-nonce": "nonce",
        "x-acs-content-sha256": signing.sha256_hex(b""),
        "x-acs-security-token": "test/token+==",
    }


def test_the_answer_comes_back_with_lower_case_header_names(driver: Driver) -> None:
    outcome = ask_once(driver, raw(b"HTTP/1.1 403 No\r\nX-ACS-Request-Id: R\r\nContent-Length: 2\r\n\r\n{}"))
    assert isinstance(outcome, Response)
    assert (outcome.status, outcome.body, outcome.headers["x-acs-request-id"]) == (403, b"{}", "R")


# Connections


def test_a_connection_is_kept_for_the_next_request_and_closed_in_the_end(driver: Driver, server: Server) -> None:
    config = service_at(f"http://{server.address}")
    driver.run_flow(config, ask(config, times=3))
    assert [received.connection for received in server.requests] == [1, 1, 1]
    assert server.closed.acquire(timeout=5)


@pytest.mark.parametrize(("seconds", "connection"), [(7.5, 1), (8.5, 2)])
def test_a_connection_that_idled_for_8_seconds_is_not_used_again(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, seconds: float, connection: int
) -> None:
    """The service resets connections after about 10 s, and a write must not meet that."""
    assert KEEP_IDLE_SECONDS == 8
    config = service_at(f"http://{server.address}")

    def with_a_pause() -> Flow[None]:
        yield request(config)
        driver.idle(monkeypatch, seconds)
        yield request(config)

    driver.run_flow(config, with_a_pause())
    assert server.requests[1].connection == connection


def test_a_connection_that_is_used_now_and_then_is_kept(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = service_at(f"http://{server.address}")

    def with_pauses() -> Flow[None]:
        for seconds in (0, 6, 12, 18):
            driver.idle(monkeypatch, seconds)
            yield request(config)

    driver.run_flow(config, with_pauses())
    assert [received.connection for received in server.requests] == [1, 1, 1, 1]


def test_a_connection_that_the_service_has_closed_is_not_used_again(driver: Driver) -> None:
    bye = raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    with Server(in_turn(bye, reply())) as server:
        config = service_at(f"http://{server.address}")
        outcomes = driver.run_flow(config, ask(config, times=2))
    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert [received.connection for received in server.requests] == [1, 2]


def test_a_request_over_a_kept_connection_is_not_sent_again_behind_our_back(driver: Driver) -> None:
    """A library that repeats a request on a fresh connection would start a scan twice."""
    with Server(in_turn(reply(), reset, reply())) as server:
        config = service_at(f"http://{server.address}")
        outcomes = driver.run_flow(config, ask(config, times=2))
    assert isinstance(outcomes[1], NoAnswerError)
    assert len(server.requests) == 2


def test_no_cookie_is_kept(driver: Driver) -> None:
    with Server(reply(set_cookie="sticky=1; Path=/")) as server:
        config = service_at(f"http://{server.address}")
        driver.run_flow(config, ask(config, times=2))
    assert "cookie" not in server.requests[1].headers


def test_a_redirect_is_not_followed(driver: Driver, server: Server) -> None:
    outcome = ask_once(driver, reply(status="307 Temporary Redirect", location=f"http://{server.address}/"))
    assert isinstance(outcome, Response)
    assert outcome.status == 307
    assert server.requests == []


# Answers that are too much


def test_an_answer_of_8_mib_is_read(driver: Driver) -> None:
    assert MAX_ANSWER_BYTES == 8 * MIB
    outcome = ask_once(driver, reply(b"x" * MAX_ANSWER_BYTES))
    assert isinstance(outcome, Response)
    assert len(outcome.body) == MAX_ANSWER_BYTES


def test_a_longer_answer_is_refused_and_the_error_keeps_status_and_request_id(driver: Driver) -> None:
    outcome = ask_once(driver, reply(b"x" * (MAX_ANSWER_BYTES + 1), status="502 Bad", x_acs_request_id="R"))
    assert isinstance(outcome, ProtocolError)
    assert (outcome.http_status, outcome.request_id) == (502, "R")


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * MIB, id="until it closes"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", b"x" * MIB, id="a length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 0x10000 + b"\r\n",
            id="chunks",
        ),
    ],
)
def test_an_endless_answer_is_cut(driver: Driver, first: bytes, piece: bytes) -> None:
    outcome = ask_once(driver, endless(first, piece))
    assert isinstance(outcome, ProtocolError)
    assert "longer than 8 MiB" in str(outcome)


def test_an_answer_that_takes_too_long_is_cut(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver.module, "MAX_ANSWER_SECONDS", 0)
    outcome = ask_once(driver, endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x"))
    assert isinstance(outcome, ProtocolError)
    assert "not complete" in str(outcome)
    assert outcome.transient


def test_a_compressed_answer_is_not_inflated(driver: Driver) -> None:
    body = gzip.compress(b"x" * 20 * MIB)
    outcome = ask_once(driver, reply(body, content_encoding="gzip"))
    assert isinstance(outcome, Response)
    assert outcome.body == body
