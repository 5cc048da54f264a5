"""Which endpoints both transports trust, and what a broken TLS connection means."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, NoAnswerError, UntrustedEndpointError
from airflow_provider_aegis.client.protocol.responses import Response
from tests.unit.client.transport.drivers import Driver, ask, service_at
from tests.unit.client.transport.loopback import Act, Request, Server, raw, reset, tls


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(
    driver: Driver, certificate: Path
) -> None:
    with Server(context=tls(certificate)) as server:
        config = service_at(f"https://{server.address}")
        (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, UntrustedEndpointError)
    assert "ca_bundle" in str(outcome)
    assert server.requests == []


def test_a_certificate_of_another_host_is_refused(driver: Driver, foreign_certificate: Path) -> None:
    with Server(context=tls(foreign_certificate)) as server:
        config = service_at(f"https://{server.address}", ca_bundle=str(foreign_certificate))
        (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, UntrustedEndpointError)
    assert server.requests == []


def test_a_ca_bundle_vouches_for_the_endpoint_and_the_connection_is_kept(driver: Driver, certificate: Path) -> None:
    with Server(context=tls(certificate)) as server:
        config = service_at(f"https://{server.address}", ca_bundle=str(certificate))
        outcomes = driver.run_flow(config, ask(config, times=2))
    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert [request.connection for request in server.requests] == [1, 1]


@pytest.mark.parametrize("content", [None, "", "this is no certificate"], ids=["missing", "empty", "garbage"])
def test_a_ca_bundle_that_cannot_be_read_is_a_configuration_error(
    driver: Driver, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    config = service_at("https://127.0.0.1:1", ca_bundle=str(path))
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        driver.run_flow(config, ask(config))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_certificates_count(
    driver: Driver, certificate: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(certificate))
    with Server(context=tls(certificate)) as server:
        config = service_at(f"https://{server.address}")
        (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, Response)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"], ids=["a null", "half a character"])
def test_a_ca_bundle_that_cannot_be_a_path_is_a_configuration_error(driver: Driver, path: str) -> None:
    config = service_at("https://127.0.0.1:1", ca_bundle=path)
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        driver.run_flow(config, ask(config))


def test_the_environments_certificates_may_be_a_folder(
    driver: Driver, certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in ``REQUESTS_CA_BUNDLE=/etc/ssl/certs``, which requests takes."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with Server(context=tls(certificate)) as server:
        config = service_at(f"https://{server.address}", ca_bundle=str(certificate))
        (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, Response)


def test_missing_certificates_of_the_environment_are_a_configuration_error(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing"))
    config = service_at("https://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        driver.run_flow(config, ask(config))


def no_tls_any_more(connection: socket.socket, _: Request) -> None:
    os.write(connection.fileno(), b"this is no TLS record\r\n\r\n")


@pytest.mark.parametrize("act", [reset, raw(), no_tls_any_more], ids=["reset", "closed", "broken TLS"])
def test_a_tls_connection_that_breaks_after_the_request_leaves_open_whether_it_arrived(
    driver: Driver, certificate: Path, act: Act
) -> None:
    """A certificate that is not trusted is noticed before; taken for that, a start would be told as not sent."""
    with Server(act, tls(certificate)) as server:
        config = service_at(f"https://{server.address}", ca_bundle=str(certificate))
        (outcome,) = driver.run_flow(config, ask(config))
    assert len(server.requests) == 1
    assert isinstance(outcome, NoAnswerError)
