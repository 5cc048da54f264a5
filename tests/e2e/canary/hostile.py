"""An endpoint that repeats what it is sent, and a proxy that opens no tunnel and repeats its password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from tests.unit.client.transport.echoes import ECHOES, SUCCESS, refused_tunnel
from tests.unit.client.transport.loopback import Request, Server


@dataclass(frozen=True)
class Hostile:
    """Both of them, while they run."""

    endpoint: Server
    proxy: Server

    @property
    def port(self) -> int:
        """Where the endpoint listens."""
        return int(self.endpoint.address.partition(":")[2])

    def proxy_url(self, password: str) -> str:
        """The address of the proxy as the environment names it."""
        return f"http://user:{quote(password, safe='')}@{self.proxy.address}"


@contextmanager
def hostile() -> Iterator[Hostile]:
    """Run both."""
    with Server(_as_named) as endpoint, Server(refused_tunnel("407")) as proxy:
        yield Hostile(endpoint, proxy)


def _as_named(connection: socket.socket, request: Request) -> None:
    """Answer as the name of the scan says."""
    (name,) = parse_qs(urlsplit(request.target).query)["TaskName"]
    (SUCCESS if name == "success" else ECHOES[name])(connection, request)
