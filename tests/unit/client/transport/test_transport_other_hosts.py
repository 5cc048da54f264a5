"""Requests to another host than the service's, and files that are read: the same at both transports."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, UntrustedEndpointError
from airflow_provider_aegis.client.flows.commands import Content, Flow, ReadFile, Reply, Send, Signature
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport import files
from tests.unit.client.transport.drivers import Driver, service_at
from tests.unit.client.transport.loopback import Server, reply, tls

KEYS = Credentials("id", "secret", "token")
NOWHERE = service_at("http://127.0.0.1:1")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def send(server: Server, *, scheme: str = "http", signature: Signature | None = None, **more: object) -> Send:
    return replace(Send(f"{scheme}://{server.address}/?A=1%202", signature, 5, 5), **more)  # type: ignore[arg-type]


def ask(command: Send | ReadFile) -> Flow[Reply]:
    return (yield command)


def test_a_request_to_another_host_is_sent_as_it_is_and_unsigned(driver: Driver, server: Server) -> None:
    wanted = send(server, method="PUT", headers={"x-test": "1", **FORM}, body=b"a=b%20c")
    assert isinstance(driver.run_flow(NOWHERE, ask(wanted)), Response)
    (request,) = server.requests
    assert request.line == "PUT /?A=1%202 HTTP/1.1"
    assert request.body == b"a=b%20c"
    assert request.headers["host"] == server.address
    assert request.headers["content-type"] == FORM["content-type"]
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("airflow-provider-aegis/")
    assert request.headers["x-test"] == "1"
    assert not {"authorization", "x-acs-date"} & request.headers.keys()


def test_a_get_has_no_body_and_no_type_of_one(driver: Driver, server: Server) -> None:
    driver.run_flow(NOWHERE, ask(send(server, method="GET")))
    (request,) = server.requests
    assert not {"content-type", "content-length"} & request.headers.keys()


def test_a_request_can_be_signed_for_another_api_its_body_too(driver: Driver, server: Server) -> None:
    signature = Signature("AssumeRole", "2026-01-02T03:04:05Z", "nonce", KEYS, version="2015-04-01")
    driver.run_flow(NOWHERE, ask(send(server, signature=signature, headers=FORM, body=b"a=b")))
    (request,) = server.requests
    expected = signature.headers(
        method="POST", host=server.address, path="/", query="A=1%202", body=b"a=b", content_type=FORM["content-type"]
    )
    assert request.headers["authorization"] == expected["authorization"]
    assert "content-type" in expected["authorization"]
    assert request.headers["x-acs-version"] == "2015-04-01"
    assert request.headers["x-acs-content-sha256"] == hashlib.sha256(b"a=b").hexdigest()


def test_a_redirect_of_another_host_is_not_followed(driver: Driver, server: Server) -> None:
    with Server() as further:
        server.act = reply(b"", "302 Found", location=f"http://{further.address}/")
        outcome = driver.run_flow(NOWHERE, ask(send(server)))
        assert further.requests == []
    assert isinstance(outcome, Response)
    assert outcome.status == 302


def test_another_host_is_verified_by_the_connections_bundle(
    driver: Driver, certificate: Path, foreign_certificate: Path
) -> None:
    with Server(context=tls(certificate)) as server:
        wanted = send(server, scheme="https")
        for bundle in (None, str(foreign_certificate)):
            assert isinstance(driver.run_flow(replace(NOWHERE, ca_bundle=bundle), ask(wanted)), UntrustedEndpointError)
        assert server.requests == []
        assert isinstance(driver.run_flow(replace(NOWHERE, ca_bundle=str(certificate)), ask(wanted)), Response)


@pytest.mark.parametrize("direct", [False, True])
def test_another_host_is_asked_through_the_environments_proxy_if_it_may_be(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    with Server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        driver.run_flow(replace(NOWHERE), ask(send(server, direct=direct)))
        assert (len(proxy.requests), len(server.requests)) == ((0, 1) if direct else (1, 0))


def test_settings_that_lead_to_no_other_host_are_told_to_the_conversation(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flow() -> Flow[Reply]:
        monkeypatch.setenv("HTTP_PROXY", "http://u:secretly@127.0.0.1:99999")
        return (yield send(server))

    outcome = driver.run_flow(NOWHERE, flow())
    assert isinstance(outcome, ConfigurationError)
    assert "secretly" not in str(outcome)


@pytest.mark.parametrize(("content", "expected"), [(b"", b""), (b"abc", b"abc"), (b"x" * 9, b"xxxx")])
def test_a_small_file_is_read_and_of_a_larger_one_just_more_than_is_small(
    driver: Driver, tmp_path: Path, content: bytes, expected: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert driver.run_flow(NOWHERE, ask(ReadFile(str(path), 3))) == Content(expected)


def test_a_file_on_a_mount_that_hangs_holds_nobody_up_for_long(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SECONDS", 0.1)
    path = tmp_path / "file"
    os.mkfifo(path)  # who opens it to read waits for one who writes
    for _ in range(3):
        outcome = driver.run_flow(NOWHERE, ask(ReadFile(str(path), 3)))
        assert isinstance(outcome, OSError)
        assert outcome.strerror == "it could not be read in time"
    reading = [thread for thread in threading.enumerate() if str(path) in thread.name]
    assert len(reading) == 1, "what hangs is not begun once more"
    path.write_bytes(b"")  # lets it go


@pytest.mark.parametrize("name", ["missing", "a\0b", "\ud800", ""])
def test_a_file_that_cannot_be_read_comes_back_as_the_systems_error(driver: Driver, tmp_path: Path, name: str) -> None:
    outcome = driver.run_flow(NOWHERE, ask(ReadFile(f"{tmp_path}/{name}", 3)))
    assert isinstance(outcome, OSError)
    assert outcome.strerror
