"""The services that hand out credentials, on loopback: STS, instance metadata with its token, a credentials URI."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_aegis.client.credentials import refreshing
from airflow_provider_aegis.client.credentials.base import EMULATOR, Clock
from airflow_provider_aegis.client.protocol.signing import Credentials, authorization, sha256_hex
from airflow_provider_aegis.emulator import Emulator

BASE = Credentials("LTAI-base", f"base-secret-{secrets.token_hex(8)}")
ROLE = "acs:ram::1234567890:role/scanner"
OIDC = "acs:ram::1234567890:oidc-provider/ack"
OIDC_TOKEN = f"eyJ.oidc-token.{secrets.token_hex(8)}"
METADATA_TOKEN = f"metadata-{secrets.token_hex(8)}"
METADATA_HEADER = "x-aliyun-ecs-metadata-token"


def signed_as_it_should_be(method: str, target: str, headers: Mapping[str, str]) -> bool:
    """Whether a request without a body has the version 3 signature of the base credentials."""
    given = headers.get("authorization", "")
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    expected = authorization(
        method=method,
        query=urlsplit(target).query,
        headers={name: headers.get(name, "") for name in names},
        payload_hash=sha256_hex(b""),
        credentials=BASE,
    )
    return {"host", "x-acs-action", "x-acs-date"} <= set(names) and given == expected


def process_of(address: tuple[str, int], session: int) -> int:
    """Return the process of a session whose end of a connection has this address, with what Linux tells."""
    wanted = f"{socket.htonl(int.from_bytes(socket.inet_aton(address[0]))):08X}:{address[1]:04X}"
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    inode = next((line[9] for line in lines if line[1] == wanted), None)
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and os.getsid(int(entry.name)) == session:
                for open_file in (entry / "fd").iterdir():
                    if str(open_file.readlink()) == f"socket:[{inode}]":
                        return int(entry.name)
    return 0


@dataclass
class CredentialsServices:
    """Hands out credentials that an emulated Security Center then knows.

    :param life: seconds that they live.
    :param clock: by which they do.
    :param trouble: a status and a body with which all of them answer in place of credentials; ``{request}`` in it
        becomes what they were asked with.
    :param session: the session whose processes ask, if it is to be found out which do.
    :param callers: what was asked for by which process.
    """

    sas: Emulator
    life: float = 3600.0
    clock: Clock = time
    trouble: tuple[int, str] | None = None
    handed_out: list[Credentials] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    asked: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list, repr=False)
    session: int = 0
    callers: set[tuple[str, int]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        return f"http://{self.address}/keys?for=airflow"

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: str, process: int = 0
    ) -> tuple[int, str]:
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query)) | dict(parse_qsl(body))
        what = headers.get("x-acs-action") or params.get("Action") or parts.path
        with self.lock:
            self.requests[what] += 1
            self.asked.append(params)
            self.authorizations.append(headers.get("authorization", ""))
            self.callers.add((what, process))
        if self.trouble:
            status, body = self.trouble
            return status, body.replace("{request}", _repeat(params, headers))
        match what:
            case "AssumeRole":
                return self._assume_role(method, target, headers, params)
            case "AssumeRoleWithOIDC":
                assert "OIDCToken" not in parts.query
                good = params.get("OIDCToken") == OIDC_TOKEN and params.get("OIDCProviderArn") == OIDC
                return (
                    self._role(params) if good else refusal(400, "AuthenticationFail.OIDCToken.Invalid", "Bad token.")
                )
            case "/latest/api/token":
                return 200, METADATA_TOKEN
            case "/latest/meta-data/ram/security-credentials/":
                return self._metadata(headers, "the-role")
            case "/latest/meta-data/ram/security-credentials/the-role":
                return self._metadata(headers, json.dumps({"Code": "Success", **self._keys()}))
            case "/keys":
                return 200, json.dumps({"Code": "Success", **self._keys()})
            case "/nonsense" | "/latest/meta-data/ram/security-credentials/nonsense":
                return 200, f"<html>{json.dumps(self._keys())}</html>"
        return refusal(404, "NotFound", target)

    def _assume_role(
        self, method: str, target: str, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> tuple[int, str]:
        if f"Credential={BASE.access_key_id}," not in headers.get("authorization", ""):
            return refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        if not signed_as_it_should_be(method, target, headers):
            secret = BASE.access_key_secret.reveal()
            words = f"Specified signature is not matched. server string to sign is:{params}{secret}"
            return refusal(400, "SignatureDoesNotMatch", words)
        return self._role(params)

    def _role(self, params: Mapping[str, str]) -> tuple[int, str]:
        if params.get("RoleArn") != ROLE:
            return refusal(403, "NoPermission", "You are not authorized to do this action.")
        return 200, json.dumps({"RequestId": "R", "Credentials": self._keys()})

    def _metadata(self, headers: Mapping[str, str], body: str) -> tuple[int, str]:
        good = headers.get(METADATA_HEADER) == METADATA_TOKEN
        return (200, body) if good else (403, "forbidden")

    def _keys(self) -> dict[str, str]:
        with self.lock:
            number = len(self.handed_out) + 1
            secret, token = f"sts-secret-{secrets.token_hex(12)}", f"sts-token-{secrets.token_hex(12)}/+="
            keys = Credentials(f"STS.id-{number}", secret, token)
            self.handed_out.append(keys)
        self.sas.add_key(keys.access_key_id, secret, token=token, seconds=max(0, self.life))
        until = datetime.fromtimestamp(self.clock.time() + self.life, UTC)
        return {
            "AccessKeyId": keys.access_key_id,
            "AccessKeySecret": secret,
            "SecurityToken": token,
            "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        }


def _repeat(params: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Say what a request was made with, as text inside of JSON."""
    known = f"Credential={BASE.access_key_id}," in headers.get("authorization", "")
    base = BASE.access_key_secret.reveal() if known else ""
    told = f"{dict(params)} {headers.get(METADATA_HEADER, '')} {headers.get('authorization', '')} {base}"
    return json.dumps(told)[1:-1]


def refusal(status: int, code: str, message: str) -> tuple[int, str]:
    return status, json.dumps({"RequestId": "STS-REQUEST", "HostId": "sts", "Code": code, "Message": message})


@contextmanager
def serving(sas: Emulator) -> Iterator[CredentialsServices]:
    """Serve, for every process that is led here."""
    services = CredentialsServices(sas)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = self.rfile.read(int(headers.get("content-length", 0))).decode()
            process = process_of(self.client_address, services.session) if services.session else 0
            status, body = services.answer(self.command, self.path, headers, received, process)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_PUT = do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    services.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serve(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialsServices]:
    """Serve, and lead this process there."""
    for name in [name for name in os.environ if name.startswith("ALIBABA_CLOUD_")]:
        monkeypatch.delenv(name)
    with serving(sas) as services:
        monkeypatch.setenv(EMULATOR, services.address)
        refreshing._providers.clear()
        try:
            yield services
        finally:
            refreshing._providers.clear()
