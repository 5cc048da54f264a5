"""Peers that repeat what they were sent: endpoints in every place of an answer, and a proxy that opens no tunnel."""

from __future__ import annotations

import socket
from base64 import b64decode
from collections.abc import Callable
from urllib.parse import quote

from tests.unit.client.transport.loopback import Act, Request, reply


def echoed(request: Request) -> str:
    """Repeat everything secret in a request, in the ways in which services do."""
    signature = signature_of(request)
    token = request.headers["x-acs-security-token"]
    return f"{signature} Signature={signature} {token} {quote(token, safe='')} {quote(quote(token, safe=''), safe='')}"


def signature_of(request: Request) -> str:
    return request.headers.get("authorization", "").rpartition("Signature=")[2]


def _echo(answer: Callable[[str], bytes]) -> Act:
    """Answer, and close the connection."""

    def act(connection: socket.socket, request: Request) -> None:
        connection.sendall(answer(echoed(request)))
        connection.shutdown(socket.SHUT_WR)

    return act


def _envelope(text: str, status: str = "400 Bad", code: str = "Invalid") -> bytes:
    fields = {"HostId": text, "RequestId": text, "Code": code, "Message": text}
    body = ("{" + ", ".join(f'"{name}": "{value}"' for name, value in fields.items()) + "}").encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _head(text: str, body: bytes = b"[}") -> bytes:
    return f"HTTP/1.1 200 OK\r\nx-acs-request-id: {text}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _success(text: str) -> bytes:
    return _head(text, f'{{"RequestId": "{text}", "TaskInfo": {{"Status": "SUCCESS", "Result": "{text}"}}}}'.encode())


SUCCESS = _echo(_success)
ECHOES: dict[str, Act] = {
    "refused": _echo(_envelope),
    "denied": _echo(lambda text: _envelope(text, "403 Forbidden", "NoPermission")),
    "wrong_signature": _echo(lambda text: _envelope(text, code="SignatureDoesNotMatch")),
    "code": _echo(lambda text: _envelope(text, code=f"Invalid.{text}")),
    "escaped": _echo(lambda text: _envelope(text.replace("/", "\\/").replace("+", "\\u002b"))),
    "failed": _echo(lambda text: _envelope(text, "500 Error", "ServerError")),
    "throttled": _echo(lambda text: _envelope(text, code="Throttling")),
    "request_id": _echo(_head),
    "redirect": _echo(lambda text: f"HTTP/1.1 302 Found\r\nLocation: /{text}\r\nContent-Length: 0\r\n\r\n".encode()),
    "too_long": _echo(lambda text: _head(text, b"x" * 9 * 1024 * 1024)),
    "html": _echo(lambda text: _head(text, f"<html>{text}</html>".encode())),
    "status_line": _echo(lambda text: f"HTTP/1.1 2{text} OK\r\n\r\n".encode()),
    "no_http": _echo(lambda text: f"{text}\r\n\r\n".encode()),
    "header_name": _echo(lambda text: f"HTTP/1.1 200 OK\r\n{text}: x\r\nContent-Length: 0\r\n\r\n".encode()),
    "long_header": _echo(lambda text: f"HTTP/1.1 200 OK\r\nx: {text * 100}\r\n\r\n".encode()),
    "length": _echo(lambda text: f"HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n".encode()),
    "chunk": _echo(lambda text: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}\r\n".encode()),
    "cut_short": _echo(lambda text: f"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{text}".encode()),
}


def refused_tunnel(status: str) -> Act:
    """Open no tunnel, and repeat the header that the proxy was sent, its password, and an address that has it."""

    def act(connection: socket.socket, request: Request) -> None:
        header = request.headers["proxy-authorization"]
        user, _, password = b64decode(header.removeprefix("Basic ")).decode().partition(":")
        text = f"{header} http://{user}:{quote(password, safe='')}@proxy {password}"
        reply(text.encode(), f"{status} {text}", x_acs_request_id=text)(connection, request)

    return act
