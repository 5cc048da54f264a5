"""The services that hand out keys are asked with the same care as Security Center: verified, bounded, not led away."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.transport import blocking
from airflow_provider_aegis.client.transport.vendor import (
    METADATA,
    Rules,
    is_near,
    perform,
)
from airflow_provider_aegis.client.vendor_credentials import VendorSource
from airflow_provider_aegis.client.vendor_library import load_library
from airflow_provider_aegis.hooks.auth import credentials_of
from tests.unit.client.transport.loopback import Act, Request, Server, endless, make_certificate, raw, reply, tls

pytest.importorskip("alibabacloud_credentials")

KEYS = {
    "AccessKeyId": "STS.id",
    "AccessKeySecret": "sts-secret",
    "SecurityToken": "sts-token",
    "Expiration": "2099-01-01T00:00:00Z",
}
FROM_URI = reply(json.dumps({"Code": "Success", **KEYS}).encode())
FROM_STS = reply(json.dumps({"Credentials": KEYS}).encode())
BASE = Credentials("LTAI-base", "base-secret")
ROLE = "acs:ram::1:role/scanner"
ARRAYS = b"[" * 10_000 + b"]" * 10_000


@dataclass
class TeaRequest:
    """A request as the library makes it."""

    query: dict[str, str]
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def uri(server: Server, scheme: str = "http", **more: Any) -> VendorSource:
    return VendorSource(auth_type="credentials_uri", credentials_uri=f"{scheme}://{server.address}/keys", **more)


def role(**more: Any) -> VendorSource:
    return VendorSource(auth_type="ram_role_arn", base=BASE, role_arn=ROLE, role_session_name="s", **more)


def failure(source: VendorSource) -> SecurityCenterError:
    with pytest.raises(SecurityCenterError) as caught:
        source.fetch()
    return caught.value


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), AuthenticationError, "longer than"),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), UnreachableError, "not complete after"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), UnreachableError, "head of the answer is too long"),
        (reply(ARRAYS), UnreachableError, "no proper answer"),
        (reply(b'{"Code": "Success"}'), AuthenticationError, "no keys were handed out"),
        (reply(gzip.compress(b"0" * 10**8), content_encoding="gzip"), UnreachableError, "no proper answer"),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), UnreachableError, "no answer came back"),
        (raw(b"SSH-2.0\r\n"), UnreachableError, "no answer came back"),
    ],
)
def test_an_answer_is_bounded_and_a_bad_one_named(
    act: Act, error: type[SecurityCenterError], words: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "MAX_ANSWER_BYTES", 200_000 if "longer" in words else 10**9)
    monkeypatch.setattr(blocking, "MAX_ANSWER_SECONDS", 0.5)
    server.act = act
    caught = failure(uri(server))
    assert type(caught) is error
    assert words in str(caught)
    assert caught.action == "credentials_uri"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_leads_nowhere(status: str, server: Server) -> None:
    with Server(FROM_URI) as elsewhere:
        server.act = reply(b"", status, location=f"http://{elsewhere.address}/keys")
        caught = failure(uri(server))
        assert elsewhere.requests == []
    assert "redirect, which is never followed" in str(caught)
    assert not caught.transient


def test_others_in_the_process_keep_the_library_as_it_was(server: Server) -> None:
    library = load_library()
    with Server(FROM_URI) as elsewhere:
        server.act = reply(b"", "302 Found", location=f"http://{elsewhere.address}/keys")
        provider = library.URLCredentialsProvider(uri=f"http://{server.address}/keys")
        assert provider.get_credentials().get_access_key_id() == KEYS["AccessKeyId"]
        assert len(elsewhere.requests) == 1


def test_tls_is_verified_and_the_connections_own_authority_trusted(
    certificate: Path, foreign_certificate: Path
) -> None:
    with Server(FROM_URI, tls(certificate)) as server:
        assert type(failure(uri(server, "https"))) is UntrustedEndpointError
        assert type(failure(uri(server, "https", ca_bundle=str(foreign_certificate)))) is UntrustedEndpointError
        assert server.requests == []
        fetched = uri(server, "https", ca_bundle=str(certificate)).fetch()
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert fetched.credentials == Credentials("STS.id", "sts-secret", "sts-token")


def test_the_connection_says_whom_to_trust(certificate: Path) -> None:
    with Server(FROM_URI, tls(certificate)) as server:
        connection = {"auth_type": "credentials_uri", "credentials_uri": f"https://{server.address}/keys"}
        provider = credentials_of({**connection, "ca_bundle": str(certificate)}, host=None)
        assert provider.get().access_key_id == "STS.id"
        with pytest.raises(UntrustedEndpointError):
            credentials_of(connection, host=None).get()


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


def test_sts_is_asked_through_the_environments_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "sts.aliyuncs.com")
    asked: list[Request] = []
    told: list[str] = []
    with Server(tunnel(certificate, FROM_STS, asked)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        source = role(ca_bundle=str(certificate), on_secret=told.append)
        assert source.fetch().credentials.access_key_id == "STS.id"
        assert type(failure(role())) is UntrustedEndpointError, "the proxy's certificate is nobody's we know"
    connect, request = asked[:2]
    assert connect.line.startswith("CONNECT sts.aliyuncs.com:443 ")
    assert request.headers["host"] == "sts.aliyuncs.com"
    assert len(told) == 1
    assert base64.b64decode(told[0])
    assert "Signature=" in request.target


@pytest.mark.parametrize("no_proxy", ["sts.aliyuncs.com", ".aliyuncs.com", "*"])
def test_what_no_proxy_names_is_asked_directly(no_proxy: str, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    lead_to_nowhere(monkeypatch)
    assert type(failure(role())) is UnreachableError
    assert server.requests == []


def lead_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no name be found: nothing of these tests may leave the machine."""

    def look_up(host: str, *_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not looked up in tests")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_what_is_near_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    server.act = FROM_URI
    with Server(FROM_URI) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        uri(server).fetch()
        assert proxy.requests == []
    assert is_near(METADATA)
    assert is_near("169.254.1.1")
    assert not is_near("sts.aliyuncs.com")
    assert not is_near("10.0.0.1")


@pytest.mark.parametrize("region", ["evil.example/", "evil.example/?", "evil.example#", "x@evil.example/"])
def test_a_signature_goes_to_hosts_of_the_vendor_alone(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load_library()
    from alibabacloud_credentials.utils import auth_util

    lead_to_nowhere(monkeypatch)
    monkeypatch.setattr(auth_util, "environment_sts_region", region)
    told: list[str] = []
    caught = failure(role(on_secret=told.append))
    assert type(caught) is UntrustedEndpointError
    assert "no host of Alibaba Cloud" in str(caught)
    assert told == []


@pytest.mark.parametrize("secret", ["Signature", "OIDCToken"])
@pytest.mark.parametrize(
    "url", ["http://sts.aliyuncs.com/", "https://aliyuncs.com/", "https://evilaliyuncs.com/", f"http://{METADATA}/"]
)
def test_what_tells_who_is_there_goes_nowhere_else(url: str, secret: str) -> None:
    with pytest.raises(UntrustedEndpointError, match="no host of Alibaba Cloud"):
        perform(url, TeaRequest({secret: "secret"}), {}, Rules())


@pytest.mark.parametrize("secret", ["Signature", "SecurityToken", "OIDCToken"])
def test_every_secret_of_a_request_is_told(secret: str, server: Server) -> None:
    told: list[str] = []
    perform(f"http://{server.address}/", TeaRequest({secret: "secret"}), {}, Rules(on_secret=told.append))
    assert told == ["secret"]


def test_the_tokens_of_a_request_are_told_before_it_is_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load_library()
    from Tea.core import TeaCore

    def answer(connection: socket.socket, request: Request) -> None:
        bodies = {"token": b"metadata-token", "": b"the-role"}
        body = bodies.get(request.target.rpartition("/")[2])
        (reply(body) if body else FROM_URI)(connection, request)

    server.act = answer
    compose: Callable[[Any], str] = TeaCore.compose_url
    monkeypatch.setattr(
        TeaCore,
        "compose_url",
        staticmethod(lambda request: compose(request).replace(f"http://{METADATA}", f"http://{server.address}")),
    )
    told: list[str] = []
    VendorSource(auth_type="ecs_ram_role", on_secret=told.append).fetch()
    assert set(told) == {"metadata-token"}
    assert server.requests[1].headers["x-aliyun-ecs-metadata-token"] == "metadata-token"
    token = tmp_path / "token"
    token.write_text("oidc-token")
    lead_to_nowhere(monkeypatch)
    source = VendorSource(
        auth_type="oidc_role_arn",
        role_arn=ROLE,
        role_session_name="s",
        oidc_provider_arn="acs:ram::1:oidc-provider/p",
        oidc_token_file=str(token),
        on_secret=told.append,
    )
    assert type(failure(source)) is UnreachableError
    assert "oidc-token" in told


def test_the_chain_tells_the_secrets_that_a_role_is_assumed_with_and_starts_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_library()
    from alibabacloud_credentials.utils import auth_util

    lead_to_nowhere(monkeypatch)
    monkeypatch.setattr(auth_util, "environment_access_key_id", BASE.access_key_id)
    monkeypatch.setattr(auth_util, "environment_access_key_secret", BASE.access_key_secret.reveal())
    told: list[str] = []
    source = VendorSource(auth_type="ram_role_arn", role_arn=ROLE, role_session_name="s", on_secret=told.append)
    before = set(threading.enumerate())
    assert type(failure(source)) is UnreachableError
    assert BASE.access_key_secret.reveal() in told
    assert set(threading.enumerate()) == before


def test_a_proxy_that_cannot_be_used_is_named_and_not_shown_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://u:secretly@127.0.0.1:99999")
    source = VendorSource(auth_type="ram_role_arn", role_arn=ROLE, role_session_name="s", base=BASE)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as caught:
        source.fetch()
    assert "secretly" not in str(caught.value)
