"""A Redis on loopback that is gone afterwards, for Celery; `redis-server` comes from the system's packages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from . import processes
from .api import until
from .settings import LOOPBACK, free_port

_INSTALL = (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--no-install-recommends", "redis-server"])


class Redis:
    """A server of its own, which ends with the `with` block or with this process."""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="redis-")
        self._port = free_port()
        settings = {
            "port": str(self._port),
            "bind": LOOPBACK,
            "dir": self._directory.name,
            "save": "",
            "logfile": "log",
        }
        self._server = subprocess.Popen(
            ["redis-server", *(text for name, value in settings.items() for text in (f"--{name}", value))],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=partial(processes.die_with_parent, os.getpid()),
        )
        log = Path(self._directory.name) / "log"
        until(self._answers, 30, lambda: f"Redis: {log.read_text() if log.exists() else 'no log'}")
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.kill()
        self._server.wait()
        self._directory.cleanup()

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
        for command in _INSTALL:
            # In this run level no package starts a service.
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
            subprocess.run(command, env=environment, check=False, capture_output=True)
    return bool(shutil.which("redis-server"))
