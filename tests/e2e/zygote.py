"""The process that imports Airflow once and forks the components from it.

It reads names of components from its input, a line each, and answers with the id of the process it forked. When the
input closes, because the stack is no longer needed or its owner has died, it ends every process that came from it.
"""

from __future__ import annotations

import importlib
import os
import select
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from . import processes

READY = "ready"
CELERY_WORKER = "celery-worker"

#: What the components would import one by one, each for itself.
_SHARED_IMPORTS = (
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.core_api.app",
    "airflow.api_fastapi.core_api.routes.public",
    "airflow.api_fastapi.core_api.routes.ui",
    "airflow.api_fastapi.execution_api.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.executors.local_executor",
    "airflow.jobs.dag_processor_job_runner",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
)

#: Log servers listen on fixed ports; here the api-server reads the files itself.
_ARGUMENTS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}


def main() -> None:
    """Import Airflow, then fork what is asked for until the input closes."""
    home = Path(os.environ["AIRFLOW_HOME"])
    # Airflow prints as it likes: the answers keep a channel of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    components: list[int] = []
    _redirect_output(home / "zygote.log")
    processes.adopt_orphans()
    _create_database()
    for module in _SHARED_IMPORTS:
        importlib.import_module(module)
    print(READY, file=answers)
    try:
        while True:
            processes.reap()
            if not select.select([sys.stdin], [], [], 0.2)[0]:
                continue
            name = sys.stdin.readline().strip()
            if not name:
                break
            components.append(_fork(name, home / f"{name}.log", answers))
            print(components[-1], file=answers)
    finally:
        _end(components)
    shutil.rmtree(home, ignore_errors=True)  # its owner may be dead
    os._exit(0)  # Python's own end takes a second with so many modules


def _fork(name: str, log: Path, answers: IO[str]) -> int:
    """Fork a component, without the zygote's own channels, and return its process id."""
    zygote = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        processes.die_with_parent(zygote)
        answers.close()
        _redirect(os.devnull, os.O_RDONLY, 0)
        _redirect_output(log)
        _run(name)
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 - a child must never return into the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _run(name: str) -> None:
    from airflow.cli import cli_parser

    command = [name, *_ARGUMENTS.get(name, [])]
    if name == CELERY_WORKER:
        # One that still ends its tasks and the one that follows it need names of their own.
        own = f"{name}-{os.getpid()}"
        pid_file = str(Path(os.environ["AIRFLOW_HOME"]) / f"{own}.pid")
        command = ["celery", "worker", "--skip-serve-logs", "--celery-hostname", own, "--pid", pid_file]
    sys.argv = ["airflow", *command]
    arguments = cli_parser.get_parser().parse_args(sys.argv[1:])
    arguments.func(arguments)


def _create_database() -> None:
    from airflow import settings
    from airflow.utils import db

    db.initdb()
    assert settings.engine is not None
    settings.engine.dispose()  # connections must not be shared across a fork


def _end(components: Sequence[int]) -> None:
    """Ask the components to end, and kill whatever remains: nothing here is worth waiting for."""
    own = os.getpid()
    living = set(processes.descendants(own)).intersection(components)
    processes.send(living, signal.SIGTERM)
    processes.gone(living, 1, collect=True)
    while left := processes.descendants(own):
        processes.send(left, signal.SIGKILL)
        processes.gone(left, 1, collect=True)


def _redirect_output(log: Path) -> None:
    _redirect(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 1, 2)


def _redirect(path: str | Path, flags: int, *standard: int) -> None:
    descriptor = os.open(path, flags, 0o600)
    for number in standard:
        os.dup2(descriptor, number)
    os.close(descriptor)


if __name__ == "__main__":
    main()
