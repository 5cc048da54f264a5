"""Proxies and netrc files of the environment: the same for both transports, and never near our signature."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.errors import ConfigurationError, UnreachableError, UntrustedEndpointError
from tests.unit.client.transport.drivers import Driver, ask, service_at
from tests.unit.client.transport.loopback import Request, Server, reply, tls


def test_a_netrc_is_not_read(driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\ndefault login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    service = service_at(f"http://{server.address}")
    driver.perform(service, ask(service))
    assert server.requests[0].headers["authorization"].startswith("ACS3-HMAC-SHA256 ")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("address", ["http://{}", "http://{}/", "{}"])
def test_a_proxy_gets_the_request_with_our_authorization(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    with Server() as proxy:
        monkeypatch.setenv(variable, address.format(proxy.address))
        service = service_at(f"http://{server.address}")
        (outcome,) = driver.perform(service, ask(service))
    assert isinstance(outcome, Answer)
    assert server.requests == []
    assert proxy.requests[0].target.startswith(f"http://{server.address}/?")
    headers = proxy.requests[0].headers
    assert headers["host"] == server.address
    assert headers["authorization"].startswith("ACS3-HMAC-SHA256 ")
    assert "proxy-authorization" not in headers


def test_keys_of_the_proxy_go_into_a_header_of_their_own(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:pass@{proxy.address}")
        service = service_at(f"http://{server.address}")
        driver.perform(service, ask(service))
    headers = proxy.requests[0].headers
    assert headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert headers["authorization"].startswith("ACS3-HMAC-SHA256 ")


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "other.example,127.0.0.1", "127.0.0.0/8", "*"])
def test_what_no_proxy_names_is_spoken_to_directly(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    service = service_at(f"http://{server.address}")
    (outcome,) = driver.perform(service, ask(service))
    assert isinstance(outcome, Answer)
    assert server.requests[0].target.startswith("/?")


def test_a_proxy_that_is_down_says_that_nothing_was_sent(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    service = service_at("https://tds.example")
    (outcome,) = driver.perform(service, ask(service))
    assert isinstance(outcome, UnreachableError)


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_opens_no_tunnel_says_that_nothing_was_sent(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    with Server(reply(b"no", status)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        service = service_at("https://tds.example")
        (outcome,) = driver.perform(service, ask(service))
    assert proxy.requests[0].line.startswith("CONNECT tds.example:443 ")
    assert "x-acs-date" not in proxy.requests[0].headers
    assert isinstance(outcome, UnreachableError)


def test_the_endpoints_certificate_is_verified_through_a_proxy_too(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    def tunnel(connection: socket.socket, _: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with tls(certificate).wrap_socket(connection, server_side=True) as secured:
            reply()(secured, Request(1, secured.recv(65536)))

    with Server(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        trusted = service_at("https://127.0.0.1", ca_bundle=str(certificate))
        assert isinstance(driver.perform(trusted, ask(trusted))[0], Answer)
        other = service_at("https://127.0.0.1")
        assert isinstance(driver.perform(other, ask(other))[0], UntrustedEndpointError)


@pytest.mark.parametrize("address", ["http://u:secretly@127.0.0.1:99999", "socks5://u:secretly@h", "ftp://h", "//"])
def test_a_proxy_that_cannot_be_used_is_named_and_not_shown(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    service = service_at(f"http://{server.address}")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as caught:
        driver.perform(service, ask(service))
    assert "secretly" not in str(caught.value)
    assert server.requests == []
