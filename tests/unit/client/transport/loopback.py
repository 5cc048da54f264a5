"""A server on a raw socket: it keeps what arrives, byte for byte, and answers as it is told."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    """What came in, and over which of the server's connections."""

    connection: int
    head: bytes
    body: bytes = b""

    @property
    def line(self) -> str:
        return self.head.decode("ascii").split("\r\n")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        pairs = [line.partition(": ") for line in self.head.decode("latin-1").split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in pairs}
        assert len(headers) == len(pairs), "a header came twice"
        return headers


# What the server does about a request. It may close the connection; else the next request is awaited on it.
Act: TypeAlias = Callable[[socket.socket, Request], None]


def reply(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> Act:
    """Answer; ``x_acs_request_id="R"`` becomes the header ``x-acs-request-id``."""
    lines = {"content-length": str(len(body))} | {name.replace("_", "-"): text for name, text in headers.items()}
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return raw(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body, hang_up=False)


def raw(*pieces: bytes, hang_up: bool = True) -> Act:
    """Send bytes as they are, and hang up."""

    def act(connection: socket.socket, _: Request) -> None:
        for piece in pieces:
            connection.sendall(piece)
        if hang_up:
            connection.shutdown(socket.SHUT_RDWR)

    return act


def endless(first: bytes, piece: bytes) -> Act:
    """Send the first bytes, then a piece again and again for as long as anybody listens."""

    def act(connection: socket.socket, _: Request) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return act


def reset(connection: socket.socket, _: Request) -> None:
    """Break the connection off, as a crash does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang(connection: socket.socket, _: Request) -> None:
    """Say nothing until the other side gives up."""
    connection.recv(1)


def in_turn(*acts: Act) -> Act:
    """Do one thing about the first request, another about the second, and so on."""
    queue = list(acts)
    return lambda connection, request: queue.pop(0)(connection, request)


class Server:
    """A server on loopback.

    :param act: what to do about every request.
    :param context: for a server that speaks TLS.
    """

    def __init__(self, act: Act | None = None, context: ssl.SSLContext | None = None) -> None:
        self.act = act or reply()
        self.requests: list[Request] = []
        self.closed = threading.Semaphore(0)
        self._context = context
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection, len(self._connections)))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                self._talk(connection, number)
            else:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    self._talk(secured, number)
        self.closed.release()

    def _talk(self, connection: socket.socket, number: int) -> None:
        received = b""
        while connection.fileno() != -1 and (piece := connection.recv(65536)):
            received += piece
            head, end, body = received.partition(b"\r\n\r\n")
            if end and len(body) == int(Request(number, head + end).headers.get("content-length", 0)):
                request = Request(number, head + end, body)
                self.requests.append(request)
                received = b""
                self.act(connection, request)


def make_certificate(folder: Path, name: str = "127.0.0.1") -> Path:
    """Write a self-signed certificate with its key into one file, and return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    with contextlib.suppress(ValueError):
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    """Return what a server needs to speak TLS with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@contextlib.contextmanager
def listener(greet: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serve one connection, which is broken off after this was done to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                greet(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "{}:{}".format(*server.getsockname())
        thread.join(20)


def old_tls(connection: socket.socket) -> None:
    """Refuse the client's version, as an endpoint with nothing newer than TLS 1.0 does."""
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
