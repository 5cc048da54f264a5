"""The services that hand out keys, on loopback: STS, instance metadata with its token, and a credentials URI.

The vendor's library is imported here and nowhere else in the tests: where it is missing, they are skipped.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from airflow_provider_aegis.client import vendor_credentials
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.emulator import Emulator
from tests.leading import PROCESS, leading

pytest.importorskip("alibabacloud_credentials")

BASE = Credentials("LTAI-base", f"base-secret-{secrets.token_hex(8)}")
ROLE = "acs:ram::1234567890:role/scanner"
OIDC = "acs:ram::1234567890:oidc-provider/ack"
OIDC_TOKEN = f"eyJ.oidc-token.{secrets.token_hex(8)}"
METADATA_TOKEN = f"metadata-{secrets.token_hex(8)}"
METADATA_HEADER = "X-aliyun-ecs-metadata-token"


def rpc_signature(secret: str, method: str, params: Mapping[str, str]) -> str:
    """Sign by the RPC style's signature of version 1, as the vendor's page describes it."""

    def encode(text: str) -> str:
        return quote(text, safe="-_.~")

    query = "&".join(f"{encode(name)}={encode(params[name])}" for name in sorted(params) if name != "Signature")
    digest = hmac.new(f"{secret}&".encode(), f"{method}&%2F&{encode(query)}".encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


@dataclass
class CredentialsServices:
    """Hands out keys that an emulated Security Center then knows.

    :param life: seconds that the keys live.
    :param trouble: a status and a body with which all of them answer in place of keys; ``{request}`` in it becomes what
        they were asked with.
    :param callers: what was asked for by which process, where it is led here.
    """

    sas: Emulator
    life: float = 3600.0
    trouble: tuple[int, str] | None = None
    handed_out: list[Credentials] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    asked: list[dict[str, str]] = field(default_factory=list)
    callers: set[tuple[str, int]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys?for=airflow"

    def answer(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[int, str]:
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query))
        what = params.get("Action") or parts.path
        with self.lock:
            self.requests[what] += 1
            self.asked.append(params)
            self.callers.add((what, int(headers.get(PROCESS, 0))))
        if self.trouble:
            status, body = self.trouble
            return status, body.replace("{request}", _repeat(params, headers))
        match what:
            case "AssumeRole":
                return self._assume_role(method, params)
            case "AssumeRoleWithOIDC":
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

    def _assume_role(self, method: str, params: Mapping[str, str]) -> tuple[int, str]:
        if params.get("AccessKeyId") != BASE.access_key_id:
            return refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        secret = BASE.access_key_secret.reveal()
        if params.get("Signature") != rpc_signature(secret, method, params):
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
        until = datetime.now(UTC) + timedelta(seconds=self.life)
        return {
            "AccessKeyId": keys.access_key_id,
            "AccessKeySecret": secret,
            "SecurityToken": token,
            "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        }


def _repeat(params: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Say what a request was made with, as text inside of JSON."""
    base = BASE.access_key_secret.reveal() if params.get("AccessKeyId") == BASE.access_key_id else ""
    return json.dumps(f"{dict(params)} {headers.get(METADATA_HEADER, '')} {base}")[1:-1]


def refusal(status: int, code: str, message: str) -> tuple[int, str]:
    return status, json.dumps({"RequestId": "STS-REQUEST", "HostId": "sts", "Code": code, "Message": message})


@contextmanager
def serving(sas: Emulator) -> Iterator[CredentialsServices]:
    """Serve, for whoever is led here."""
    services = CredentialsServices(sas)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = services.answer(self.command, self.path, dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_PUT = do_GET  # noqa: N815

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
    """Serve, and lead the vendor's library of this process there."""
    from Tea.core import TeaCore

    with serving(sas) as services:
        monkeypatch.setattr(TeaCore, "compose_url", staticmethod(leading(TeaCore.compose_url, services.port)))
        vendor_credentials._providers.clear()
        try:
            yield services
        finally:
            vendor_credentials._providers.clear()
