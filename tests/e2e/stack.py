"""A whole Airflow on a free port of loopback with a home of its own: `with AirflowStack(dags) as stack: ...`."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

import httpx

from . import processes
from .api import AirflowApi, until
from .settings import LOOPBACK, celery_environment, environment, free_port
from .zygote import CELERY_WORKER, READY

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")

_ROOT = Path(__file__).parents[2]
_START_TIMEOUT = 120.0


class StackError(Exception):
    """A part of the stack did not come up; the message ends with its log."""


class WorkerPids(NamedTuple):
    """The two processes that a running task consists of."""

    supervisor: int  #: reports to the API server: a worker of the LocalExecutor
    runner: int  #: runs the operator's code


class AirflowStack(AirflowApi):
    """Start Airflow on entering the context and end all of it on leaving; in between it is its own API's client.

    :param redis_url: with it tasks run under the CeleryExecutor, on one worker.
    """

    def __init__(
        self,
        dags_folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        example_dags: bool = False,
        port: int | None = None,
        redis_url: str | None = None,
    ) -> None:
        self._port = port or free_port()
        super().__init__(f"http://{LOOPBACK}:{self._port}")
        self._dags_folder = dags_folder
        self._env = dict(env or {})
        self._example_dags = example_dags
        self._pids: dict[str, int] = {}
        self.components: tuple[str, ...] = COMPONENTS
        if redis_url:
            self.components = (*COMPONENTS, CELERY_WORKER)
            self._env |= celery_environment(redis_url)

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="airflow-", ignore_cleanup_errors=True)
        self.home = Path(self._directory.name)
        self.environment = environment(
            home=self.home,
            port=self._port,
            dags_folder=self._dags_folder.resolve(),
            load_examples=self._example_dags,
            extra=self._env,
        )
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.zygote"],
            cwd=_ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Out of reach of the terminal's Ctrl-C, which is for the owner of the stack. The session also marks
            # every process that belongs to the stack.
            start_new_session=True,
        )
        try:
            self._read_answer(READY)
            self._start(self.components)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove the home."""
        self._http.close()
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        with suppress(BrokenPipeError):
            self._zygote.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._zygote.wait(10)
        # Nothing is left at this point, unless the zygote itself was killed.
        while left := processes.session_members(self._zygote.pid):
            processes.send(left, signal.SIGKILL)
            processes.gone(left, 1)
            self._zygote.poll()
        self._zygote.stdout.close()
        self._directory.cleanup()

    def cli(self, *arguments: str) -> str:
        """Run one of Airflow's commands as an administrator would, and return what it printed."""
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, cwd=_ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"airflow {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    # Processes

    def pid(self, name: str) -> int:
        """Return the process id of a component."""
        return self._pids[name]

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL, *, tree: bool = False) -> None:
        """Send a signal to a component, and wait until it is gone if the signal is SIGKILL.

        Only the component's own process gets it, as with `kill -9`: the workers that a scheduler has forked live on
        and finish their tasks, while the triggerer's process with the triggers notices and ends. With `tree` all of
        these get it, as when a host dies.
        """
        pids = [self.pid(name), *(processes.descendants(self.pid(name)) if tree else ())]
        # The id of a component that has died before may be another program's by now.
        processes.send(set(pids).intersection(processes.session_members(self._zygote.pid)), sig)
        if sig == signal.SIGKILL:
            processes.gone(pids, 5)

    def restart(self, name: str) -> None:
        """End a component if it still runs, start it anew and wait until it is healthy."""
        self.kill(name, signal.SIGTERM)
        if not processes.gone([self.pid(name)], 5):
            self.kill(name, tree=True)
        self.start(name)

    def start(self, name: str) -> None:
        """Start a component, whether or not an earlier one is still busy with its end, and wait until it is healthy."""
        self._start([name])

    def worker_pids(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, timeout: float = 30
    ) -> WorkerPids:
        """Wait until the task runs and return its two processes."""

        def find() -> WorkerPids | None:
            # Both have the id of the task instance in their titles.
            ti_id = self.task(dag_id, run_id, task_id, map_index)["id"]
            titles = processes.titled(ti_id, self._zygote.pid)
            supervisors = [pid for pid, title in titles.items() if "LocalExecutor" in title]
            runners = [pid for pid in titles if pid not in supervisors]
            return WorkerPids(supervisors[0], runners[0]) if supervisors and runners else None

        return until(find, timeout, lambda: f"the processes of {task_id}: {self.task_states(dag_id, run_id)}")

    def kill_worker(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """Kill -9 both processes of a running task: nobody is left to report how it ended."""
        pids = self.worker_pids(dag_id, run_id, task_id, map_index)
        processes.send(pids, signal.SIGKILL)
        processes.gone(pids, 5)

    def component_log(self, name: str) -> str:
        """Return what a component, or the zygote, has printed; the output of restarts is appended."""
        log = self.home / f"{name}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _start(self, names: Collection[str]) -> None:
        assert self._zygote.stdin is not None
        since = datetime.now(UTC)
        for name in names:
            self._zygote.stdin.write(f"{name}\n")
            self._zygote.stdin.flush()
            self._pids[name] = int(self._read_answer(name))
        deadline = time.monotonic() + _START_TIMEOUT
        if "api-server" in names:
            while not self._api_answers():
                self._check_start(names, deadline)
        while not all(self._healthy(name, since) for name in names):
            self._check_start(names, deadline)

    def _api_answers(self) -> bool:
        """Tell whether the API is up; the API of the workers takes seconds for its first answer, so get that over."""
        with suppress(httpx.TransportError):
            # Airflow adds an admin's token to a request without one, and then logs that workers have other tokens.
            return self._http.get("/execution/health", headers={"Authorization": "none"}).is_success
        return False

    def _healthy(self, name: str, since: datetime) -> bool:
        """Tell whether a component has shown a sign of life since then: an earlier one was its predecessor's."""
        if name == "api-server":
            return True
        if name == CELERY_WORKER:
            return f"{name}-{self.pid(name)} ready" in self.component_log(name)
        component = name.replace("-", "_")
        heartbeat = self.api("GET", "monitor/health")[component][f"latest_{component}_heartbeat"]
        return heartbeat is not None and datetime.fromisoformat(heartbeat) > since

    def _check_start(self, names: Collection[str], deadline: float) -> None:
        for name in names:
            if not processes.alive(self.pid(name)):
                raise StackError(f"{name} has ended:\n{self.component_log(name)[-5000:]}")
        if time.monotonic() > deadline:
            logs = "\n".join(f"{name}:\n{self.component_log(name)[-2000:]}" for name in names)
            raise StackError(f"not up after {_START_TIMEOUT:g} s:\n{logs}")
        time.sleep(0.1)

    def _read_answer(self, to: str) -> str:
        assert self._zygote.stdout is not None
        ready, _, _ = select.select([self._zygote.stdout], [], [], _START_TIMEOUT)
        answer = self._zygote.stdout.readline().strip() if ready else ""
        if not answer:
            raise StackError(f"no answer to {to!r}:\n{self.component_log('zygote')[-5000:]}")
        return answer
