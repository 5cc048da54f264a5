"""Proxies and netrc files of the environment: the same for both transports, and never near our signature."""

from __future__ import annotations

import socket
from base64 import b64encode
from pathlib import Path

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, UnreachableError, UntrustedEndpointError
from airflow_provider_aegis.client.protocol.responses import Response
from tests.unit.client.transport.drivers import Driver, ask, service_at
from tests.unit.client.transport.loopback import Act, Request, Server, in_turn, raw, reply, reset, tls


def test_a_netrc_is_not_read(driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\ndefault login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    config = service_at(f"http://{server.address}")
    driver.run_flow(config, ask(config))
    assert server.requests[0].headers["authorization"].startswith("ACS3-HMAC-SHA256 ")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("address", ["http://{}", "http://{}/", "{}"])
def test_a_proxy_gets_the_request_with_our_authorization(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    with Server() as proxy:
        monkeypatch.setenv(variable, address.format(proxy.address))
        config = service_at(f"http://{server.address}")
        (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, Response)
    assert server.requests == []
    assert proxy.requests[0].target.startswith(f"http://{server.address}/?")
    headers = proxy.requests[0].headers
    assert headers["host"] == server.address
    assert headers["authorization"].startswith("ACS3-HMAC-SHA256 ")
    assert "proxy-authorization" not in headers


@pytest.mark.parametrize(
    ("user_info", "told"),
    [
        ("user:pass@", b"user:pass"),
        ("user:@", b"user:"),
        ("user@", b"user:"),
        (":pass@", b":pass"),
        ("us%40er:p%2Fa%25@", b"us@er:p/a%"),
        ("user:p:q%ff@", b"user:p:q\xff"),
        ("üser:pä@", "üser:pä".encode()),
        (":@", None),
        ("@", None),
    ],
)
def test_user_and_password_of_the_proxy_go_into_a_header_of_their_own(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, user_info: str, told: bytes | None
) -> None:
    with Server(in_turn(reply(), reply(status="403 Forbidden"))) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://{user_info}{proxy.address}")
        for address in (f"http://{server.address}", "https://tds.example"):
            config = service_at(address)
            driver.run_flow(config, ask(config))
    plain, tunnel = (request.headers for request in proxy.requests)
    expected = f"Basic {b64encode(told).decode()}" if told else None
    assert plain.get("proxy-authorization") == tunnel.get("proxy-authorization") == expected
    assert plain["authorization"].startswith("ACS3-HMAC-SHA256 ")
    assert "authorization" not in tunnel


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "other.example,127.0.0.1", "127.0.0.0/8", "*"])
def test_what_no_proxy_names_is_spoken_to_directly(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    config = service_at(f"http://{server.address}")
    (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, Response)
    assert server.requests[0].target.startswith("/?")


def test_a_proxy_that_is_down_says_that_nothing_was_sent(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    config = service_at("https://tds.example")
    (outcome,) = driver.run_flow(config, ask(config))
    assert isinstance(outcome, UnreachableError)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reply(b"no", "403 Forbidden"), id="403"),
        pytest.param(reply(b"no", "407 Proxy Authentication Required"), id="407"),
        pytest.param(reply(b"no", "502 Bad Gateway"), id="502"),
        pytest.param(raw(), id="closed"),
        pytest.param(raw(b"HTTP/1.1 2"), id="cut short"),
        pytest.param(raw(b"no HTTP\r\n\r\n"), id="no HTTP"),
        pytest.param(reset, id="reset"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_says_that_nothing_was_sent(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    with Server(act) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        config = service_at("https://tds.example")
        (outcome,) = driver.run_flow(config, ask(config))
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
        assert isinstance(driver.run_flow(trusted, ask(trusted))[0], Response)
        other = service_at("https://127.0.0.1")
        assert isinstance(driver.run_flow(other, ask(other))[0], UntrustedEndpointError)


@pytest.mark.parametrize(
    "address", ["http://u:secretly@127.0.0.1:99999", "http://u:secretly@a..b", "socks5://u:secretly@h", "ftp://h", "//"]
)
def test_a_proxy_that_cannot_be_used_is_named_and_not_shown(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    config = service_at(f"http://{server.address}")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as caught:
        driver.run_flow(config, ask(config))
    assert "secretly" not in str(caught.value)
    assert server.requests == []
