"""Look-up of host names in the background: the system's own look-up has no time-out and can hang for minutes."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeAlias

from airflow_provider_aegis.client.transport.background import in_background

# As socket.getaddrinfo has it: family, type, protocol, canonical name, and the address with its port.
Found: TypeAlias = tuple[Any, Any, int, str, tuple[Any, ...]]


def look_up(host: str, port: int, family: int = socket.AF_UNSPEC) -> Future[list[Found]]:
    """Look up a host name; callers that look up the same name at the same time share one look-up."""
    work = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
    return in_background(("host name", host, port, family), work)
