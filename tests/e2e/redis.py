"""A Redis on loopback that is gone afterwards, for Celery; `redis-server` comes from the system's packages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from .servers import serving
from .settings import LOOPBACK, free_port

_INSTALL = (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--no-install-recommends", "redis-server"])


class Redis:
    """A server of its own, which ends with the `with` block or with this process."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-"))
            self._port = free_port()
            settings = {"port": str(self._port), "bind": LOOPBACK, "dir": folder, "save": ""}
            command = ["redis-server", *(text for name, value in settings.items() for text in (f"--{name}", value))]
            stack.enter_context(serving(command, self._answers, log=Path(folder) / "log", stop="KILL"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://{LOOPBACK}:{self._port}/0"

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((LOOPBACK, self._port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


def install() -> bool:
    """Install `redis-server` if it is missing and this is root's Debian; tell whether it is there."""
    if not shutil.which("redis-server") and shutil.which("apt-get") and os.geteuid() == 0:
        # In this run level no package starts a service.
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in _INSTALL:
            subprocess.run(command, env=environment, check=False, capture_output=True)
    return bool(shutil.which("redis-server"))
