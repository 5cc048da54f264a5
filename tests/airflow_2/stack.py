"""A scheduler and a triggerer of Airflow 2 with a home of their own; the database says what they do."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.e2e import processes

T = TypeVar("T")

COMPONENTS = ("scheduler", "triggerer")
AIRFLOW = Path(sys.executable).with_name("airflow")


class Airflow2:
    """Start on entering the context, end all of it on leaving.

    :param dags: the folder with the DAGs.
    :param env: more environment for all processes.
    """

    def __init__(self, dags: Path, env: Mapping[str, str]) -> None:
        self._dags = dags
        self._more = env
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="airflow-", ignore_cleanup_errors=True)
        self.home = Path(self._directory.name)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW"))}
        self._env = {
            **inherited,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            "PYTHONWARNINGS": "ignore",
            "PATH": f"{AIRFLOW.parent}{os.pathsep}{os.environ['PATH']}",  # the executor looks for airflow there
            **self._more,
        }
        try:
            self.command("db", "migrate")
            for name in COMPONENTS:
                self._start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove the home."""
        for name in list(self._running):
            self.kill(name)
        self._directory.cleanup()

    def kill(self, name: str) -> None:
        """End a component as a crash of its machine does, with all that it has started."""
        process = self._running.pop(name)
        # The processor of DAG files is in a session of its own.
        pids = [process.pid, *processes.descendants(process.pid)]
        processes.send(pids, signal.SIGKILL)
        process.wait()
        processes.gone(pids, 5)

    def restart(self, name: str) -> None:
        """Kill a component, and start it anew."""
        self.kill(name)
        self._start(name)

    def _start(self, name: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [AIRFLOW, name, "--skip-serve-logs"],
                env=self._env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def command(self, *words: str) -> str:
        """Run a command of Airflow's and return what it printed."""
        done = subprocess.run([AIRFLOW, *words], env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with closing(self._database()) as database:
            return database.execute(query, values).fetchall()

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.home / "airflow.db", timeout=30)

    def states(self, dag_id: str) -> dict[str, str | None]:
        """Return the state of each task of a DAG that was run once."""
        query = "SELECT task_id, state FROM task_instance WHERE dag_id = ?"
        return {str(task_id): state for task_id, state in self.rows(query, dag_id)}

    def mark_failed(self, dag_id: str, task_id: str) -> None:
        """Do to a running task what the button in the UI does."""
        with closing(self._database()) as database, database:
            database.execute(
                "UPDATE task_instance SET state = 'failed' WHERE dag_id = ? AND task_id = ?", (dag_id, task_id)
            )

    def run_state(self, dag_id: str) -> str | None:
        """Return the state of a DAG's only run."""
        found = self.rows("SELECT state FROM dag_run WHERE dag_id = ?", dag_id)
        return str(found[0][0]) if found else None

    def logs(self, dag_id: str) -> str:
        """Return what the DAG's tasks and the components have printed."""
        paths = [*sorted(self.home.glob(f"logs/dag_id={dag_id}/**/*.log*")), *sorted(self.home.glob("*.log"))]
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')[-3000:]}" for path in paths)

    def wait(self, what: Callable[[], T | None], dag_id: str, seconds: float = 240) -> T:
        """Return what becomes true, or fail with the logs."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := what():
                return found
            time.sleep(0.2)
        raise AssertionError(f"{self.states(dag_id)}\n{self.logs(dag_id)}")
