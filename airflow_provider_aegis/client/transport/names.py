"""Host names, looked up in the background: the system's own look-up takes no time-out and can hang for minutes."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeAlias

from airflow_provider_aegis.client.transport.background import in_background

# As socket.getaddrinfo has it: family, type, protocol, canonical name, and the address with its port.
Found: TypeAlias = tuple[Any, Any, int, str, tuple[Any, ...]]


def look_up(host: str, port: int, family: int = socket.AF_UNSPEC) -> Future[list[Found]]:
    """Look a host name up; one that is being looked up already is not looked up a second time."""
    work = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
    return in_background(("host name", host, port, family), work)
