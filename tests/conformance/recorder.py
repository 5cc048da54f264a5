"""STS, instance metadata and a credentials URI on loopback, behind a proxy too; notes what they are asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.unit.client.transport.loopback import make_certificate, tls

EXPIRATION = "2099-01-01T00:00:00Z"
HOSTS = ("sts.aliyuncs.com", "sts.cn-hangzhou.aliyuncs.com", "sts-vpc.cn-beijing.aliyuncs.com")
METADATA = "/latest/meta-data/ram/security-credentials/"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    form: dict[str, str]
    raw_query: str = field(repr=False)

    @property
    def action(self) -> str:
        return self.query.get("Action") or self.headers.get("x-acs-action") or self.path

    @property
    def params(self) -> dict[str, str]:
        """What is asked for, wherever it is written, without what only says how it is signed."""
        common = {"Action", "Format", "Version", "Timestamp", "AccessKeyId", "SecurityToken"}
        return {
            name: value
            for name, value in {**self.query, **self.form}.items()
            if name not in common and not name.startswith("Signature")
        }


@dataclass
class Recorder:
    """What was asked, and where the services are."""

    address: str
    bundle: Path
    asked: list[Asked] = field(default_factory=list)
    token: str | None = "metadata-token"

    def take(self) -> list[Asked]:
        """Return what was asked since the last time."""
        taken, self.asked = self.asked, []
        return taken

    def answer(self, asked: Asked) -> tuple[int, str]:
        if asked.path == "/latest/api/token":
            return (200, self.token) if self.token else (404, "")
        if asked.path.startswith(METADATA):
            if asked.headers.get("x-aliyun-ecs-metadata-token") != self.token:
                return 403, ""
            role = asked.path.removeprefix(METADATA)
            return 200, json.dumps({"Code": "Success", **_keys(f"metadata-{role}")}) if role else "the-role"
        if asked.path == "/keys":
            return 200, json.dumps({"Code": "Success", **_keys("uri")})
        if asked.action.startswith("AssumeRole"):
            if asked.params["RoleArn"].endswith("refused"):
                return 404, json.dumps({"Code": "EntityNotExist.Role", "Message": "No such role."})
            return 200, json.dumps(
                {"RequestId": "R", "Credentials": _keys(f"{asked.action}-{asked.params['RoleArn']}")}
            )
        return 404, "{}"


def _keys(name: str) -> dict[str, str]:
    return {
        "AccessKeyId": f"STS.{name}",
        "AccessKeySecret": f"secret of {name}".replace(" ", "-"),
        "SecurityToken": f"token+/=of-{name}",
        "Expiration": EXPIRATION,
    }


@contextmanager
def recorder(folder: Path) -> Iterator[Recorder]:
    """Serve, with certificates of the hosts of STS."""
    contexts = {}
    bundle = folder / "bundle.pem"
    for host in HOSTS:
        certificate = make_certificate(folder, host)
        contexts[host] = tls(certificate)
        bundle.write_text((bundle.read_text() if bundle.exists() else "") + certificate.read_text())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            self.send_response(200)
            self.end_headers()
            host = self.path.partition(":")[0]
            secured: Any = contexts[host].wrap_socket(self.connection, server_side=True)
            self.connection, self.rfile, self.wfile = secured, secured.makefile("rb"), secured.makefile("wb", 0)
            self.close_connection = False

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0))).decode()
            query, form = (dict(parse_qsl(text, strict_parsing=bool(text))) for text in (target.query, body))
            asked = Asked(self.command, headers["host"], target.path, query, headers, form, target.query)
            here.asked.append(asked)
            status, text = here.answer(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_GET  # noqa: N815

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here = Recorder(f"127.0.0.1:{server.server_port}", bundle)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
