"""The services that hand out credentials are asked with the same care as Security Center, by both transports."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.credentials.base import EMULATOR, Fetched, Source, StaticCredentials
from airflow_provider_aegis.client.credentials.instance_metadata import InstanceMetadata
from airflow_provider_aegis.client.credentials.sts import AssumeRole, AssumeRoleWithOIDC
from airflow_provider_aegis.client.credentials.uri import CredentialsUri
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.hooks.auth import credentials_of
from tests.unit.client.transport.drivers import Driver, Nonblocking, service_at
from tests.unit.client.transport.loopback import (
    Act,
    Request,
    Server,
    endless,
    in_turn,
    make_certificate,
    raw,
    reply,
    tls,
)

KEYS = {
    "AccessKeyId": "STS.id",
    "AccessKeySecret": "sts-secret",
    "SecurityToken": "sts-token",
    "Expiration": "2099-01-01T00:00:00Z",
}
FROM_URI = reply(json.dumps({"Code": "Success", **KEYS}).encode())
FROM_STS = reply(json.dumps({"Credentials": KEYS}).encode())
BASE = Credentials("LTAI-base", "base-secret")
ARRAYS = b"[" * 10_000 + b"]" * 10_000
# Nothing listens there; what is fetched is asked elsewhere.
ADDRESS = "http://127.0.0.1:1"


def uri(server: Server, scheme: str = "http") -> CredentialsUri:
    return CredentialsUri(f"{scheme}://{server.address}/keys")


def role(base: Credentials = BASE) -> AssumeRole:
    return AssumeRole(base=StaticCredentials(base), role_arn="acs:ram::1:role/scanner", external_id="external-id/1")


def fetch(driver: Driver, source: Source, **known: Any) -> Fetched:
    return driver.run_flow(service_at(ADDRESS, **known), source.fetch(time))


def failure(driver: Driver, source: Source, **known: Any) -> SecurityCenterError:
    with pytest.raises(SecurityCenterError) as caught:
        fetch(driver, source, **known)
    return caught.value


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), AuthenticationError, "longer than"),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), UnreachableError, "not complete after"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), UnreachableError, "head of the answer is too long"),
        (reply(ARRAYS), UnreachableError, "nested too deeply"),
        (reply(b'{"Code": "Success"}'), AuthenticationError, "the answer has no credentials"),
        (reply(b"a\nb: c"), UnreachableError, "not JSON"),
        (reply(gzip.compress(b"0" * 10**6), content_encoding="gzip"), UnreachableError, "the answer is not"),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), UnreachableError, "no answer came back"),
        (raw(b"SSH-2.0\r\n"), UnreachableError, "no answer came back"),
    ],
)
def test_an_answer_is_bounded_and_a_bad_one_named(
    driver: Driver,
    act: Act,
    error: type[SecurityCenterError],
    words: str,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver.module, "MAX_ANSWER_BYTES", 200_000 if "longer" in words else 10**9)
    monkeypatch.setattr(driver.module, "MAX_ANSWER_SECONDS", 0.5)
    server.act = act
    caught = failure(driver, uri(server))
    assert type(caught) is error
    assert words in str(caught)
    assert caught.action == "credentials_uri"
    assert caught.__context__ is None


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_leads_nowhere(driver: Driver, status: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, server.address)
    with Server(FROM_URI) as elsewhere:
        server.act = reply(b"", status, location=f"http://{elsewhere.address}/keys")
        for source in (uri(server), role(), InstanceMetadata()):
            caught = failure(driver, source)
            assert not caught.transient
            assert type(source) is InstanceMetadata or "redirect, which is never followed" in str(caught)
        assert elsewhere.requests == []
    assert len(server.requests) == 3


def test_tls_is_verified_and_the_connections_own_authority_trusted(
    driver: Driver, certificate: Path, foreign_certificate: Path
) -> None:
    with Server(FROM_URI, tls(certificate)) as server:
        assert type(failure(driver, uri(server, "https"))) is UntrustedEndpointError
        foreign = failure(driver, uri(server, "https"), ca_bundle=str(foreign_certificate))
        assert type(foreign) is UntrustedEndpointError
        assert server.requests == []
        fetched = fetch(driver, uri(server, "https"), ca_bundle=str(certificate))
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert fetched.credentials == Credentials("STS.id", "sts-secret", "sts-token")


def test_the_connection_says_whom_to_trust(driver: Driver, certificate: Path) -> None:
    with Server(FROM_URI, tls(certificate)) as server:
        connection = {"auth_type": "credentials_uri", "credentials_uri": f"https://{server.address}/keys"}
        for bundle in (None, str(certificate), None):
            provider = credentials_of({**connection, "ca_bundle": bundle}, host=None)
            config = service_at(ADDRESS, credentials=provider, ca_bundle=bundle)
            if bundle:
                assert driver.run_flow(config, provider.get()).access_key_id == "STS.id"
                continue
            with pytest.raises(UntrustedEndpointError):
                driver.run_flow(config, provider.get())


def tunnel(certificate: Path, act: Act, asked: list[Request]) -> Act:
    """Be a proxy behind which the host of the certificate is."""

    def run(connection: socket.socket, request: Request) -> None:
        asked.append(request)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with tls(certificate).wrap_socket(connection, server_side=True) as secured:
            head = Request(1, secured.recv(65536))
            asked.append(head)
            act(secured, head)

    return run


def test_sts_is_asked_through_the_environments_proxy(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path, "sts.aliyuncs.com")
    asked: list[Request] = []
    with Server(tunnel(certificate, FROM_STS, asked)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        assert fetch(driver, role(), ca_bundle=str(certificate)).credentials.access_key_id == "STS.id"
        assert type(failure(driver, role())) is UntrustedEndpointError, "the proxy's certificate is nobody's we know"
    connect, request = asked[:2]
    assert connect.line.startswith("CONNECT sts.aliyuncs.com:443 ")
    assert "authorization" not in connect.headers
    assert request.headers["host"] == "sts.aliyuncs.com"
    assert request.headers["authorization"].startswith("ACS3-HMAC-SHA256 Credential=LTAI-base,")


@pytest.mark.parametrize("no_proxy", ["sts.aliyuncs.com", ".aliyuncs.com", "*"])
def test_what_no_proxy_names_is_asked_directly(
    driver: Driver, no_proxy: str, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    lead_to_nowhere(monkeypatch)
    assert type(failure(driver, role())) is UnreachableError
    assert server.requests == []


def lead_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no name be found: nothing of these tests may leave the machine."""

    def look_up(host: str, *_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not looked up in tests")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_metadata_and_a_uri_are_never_asked_through_a_proxy(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setenv(EMULATOR, server.address)
    server.act = in_turn(FROM_URI, reply(b"metadata-token"), FROM_URI)
    with Server(FROM_URI) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.address}")
        fetch(driver, uri(server))
        fetch(driver, InstanceMetadata("the-role"))
        assert proxy.requests == []
    assert len(server.requests) == 3


def test_nor_is_a_uri_of_the_services_own_host(driver: Driver, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    server.act = FROM_URI
    with Server(FROM_URI) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        config = service_at(f"http://{server.address}")
        driver.run_flow(config, uri(server).fetch(time))
        assert (len(server.requests), len(proxy.requests)) == (1, 0)


def test_a_proxy_that_cannot_be_used_is_named_and_not_shown_here_too(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = service_at(ADDRESS)  # its own endpoint is not asked through this proxy
    monkeypatch.setenv("HTTPS_PROXY", "http://u:secretly@127.0.0.1:99999")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as caught:
        driver.run_flow(config, role().fetch(time))
    assert "secretly" not in str(caught.value)


def test_secrets_are_masked_before_they_are_sent(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(EMULATOR, server.address)
    token = tmp_path / "token"
    token.write_text("oidc-token")
    oidc = AssumeRoleWithOIDC(
        role_arn="acs:ram::1:role/scanner",
        oidc_provider_arn="acs:ram::1:oidc-provider/p",
        oidc_token_file=str(token),
    )
    told: list[tuple[str, int]] = []

    def tell(secret: str) -> None:
        told.append((secret, len(server.requests)))

    for source in (
        role(Credentials("id", "base-secret", "base-token")),
        oidc,
        CredentialsUri(f"{ADDRESS}/?a=a-guard%2F1"),
    ):
        failure(driver, source, on_secret=tell)
    server.act = reply(b"metadata-token")
    failure(driver, InstanceMetadata("r"), on_secret=tell)
    assert told == [
        ("base-secret", 0),
        ("base-token", 0),
        ("oidc-token", 1),
        ("metadata-token", 3),
    ]


def test_what_guards_a_role_or_a_uri_is_in_no_log(
    driver: Driver, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The HTTP library of the blocking transport logs what is asked for; not every log is masked."""
    monkeypatch.setenv(EMULATOR, server.address)
    with caplog.at_level(logging.DEBUG):
        failure(driver, role())
    (request,) = server.requests
    assert "ExternalId=external-id%2F1" in request.target
    assert "external-id" not in caplog.text


@pytest.mark.parametrize("on_the_loop", [False, True])
def test_an_event_loop_masks_without_being_held_up(on_the_loop: bool) -> None:
    threads: set[int] = set()

    async def tell(_: str) -> None:
        await asyncio.sleep(0)
        threads.add(threading.get_ident())

    known: dict[str, Any] = {"on_secret_async": tell} if on_the_loop else {}
    failure(Nonblocking(), role(), on_secret=lambda _: threads.add(threading.get_ident()), **known)
    assert (threads == {threading.get_ident()}) == on_the_loop
