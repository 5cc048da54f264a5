"""Rounds of cases on one Airflow: several tasks at a time, and now and then a component that dies under all of them."""

from __future__ import annotations

import logging
import signal
import tempfile
import time
import traceback
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from airflow_provider_aegis.emulator import Emulator
from tests.e2e import processes
from tests.e2e.postgres import Postgres
from tests.e2e.redis import Redis
from tests.e2e.stack import AirflowStack
from tests.e2e.zygote import CELERY_WORKER

from . import journal
from .cases import Blow, Case, Round
from .database import Database
from .evidence import Done, Evidence
from .lane import Lane
from .oracle import Finding, Promise, judge
from .report import Verdict

_DAGS = Path(__file__).parent / "dags"
#: Calls for a second that the tasks of a lane are allowed, so that pace does not hide races.
_PACE = 50

#: Which component gets which signal, and whether its children get it too.
_BLOWS = {
    Blow.KILL_TRIGGERER: ("triggerer", signal.SIGKILL, True),
    Blow.TERM_TRIGGERER: ("triggerer", signal.SIGTERM, False),
    Blow.KILL_SCHEDULER: ("scheduler", signal.SIGKILL, False),
    Blow.KILL_SCHEDULER_TREE: ("scheduler", signal.SIGKILL, True),
    Blow.TERM_SCHEDULER: ("scheduler", signal.SIGTERM, False),
    Blow.KILL_API_SERVER: ("api-server", signal.SIGKILL, True),
    Blow.TERM_API_SERVER: ("api-server", signal.SIGTERM, False),
    Blow.WARM_SHUTDOWN: (CELERY_WORKER, signal.SIGTERM, False),
    Blow.COLD_SHUTDOWN: (CELERY_WORKER, signal.SIGQUIT, False),
}

log = logging.getLogger(__name__)


class Soak:
    """An Airflow on Postgres and a few lanes, for as long as the `with` block lasts.

    :param lanes: how many tasks run at a time.
    :param celery: whether tasks run on a Celery worker, in place of the LocalExecutor's.
    """

    def __init__(self, lanes: int, *, celery: bool = False) -> None:
        self._size = lanes
        self._celery = celery

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="journal-")))
            postgres = stack.enter_context(Postgres())
            emulators = [stack.enter_context(Emulator()) for _ in range(self._size)]
            connections = {
                f"AIRFLOW_CONN_LANE_{number}": sas.connection_json(max_requests_per_second=_PACE)
                for number, sas in enumerate(emulators)
            }
            env = {
                "AIRFLOW__CORE__PARALLELISM": str(2 * self._size),
                journal.FOLDER: str(self.folder),
                **postgres.env,
                **connections,
            }
            redis_url = stack.enter_context(Redis()).url if self._celery else None
            self.stack = stack.enter_context(AirflowStack(_DAGS, env=env, redis_url=redis_url))
            database = Database(postgres.url("postgresql+psycopg2"))
            stack.callback(database.close)
            self._lanes = [
                Lane(f"lane_{number}", sas, self.stack, database, self.folder) for number, sas in enumerate(emulators)
            ]
            self._pool = stack.enter_context(ThreadPoolExecutor(self._size))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self, cases: Round) -> list[Verdict]:
        """Run the cases of a round at the same time and judge each."""
        began = time.monotonic()
        until = began + cases.at + 1 if cases.blow else 0.0
        running = [
            self._pool.submit(lane.run, case, until) for lane, case in zip(self._lanes, cases.cases, strict=False)
        ]
        blows = []
        if cases.blow:
            time.sleep(max(0.0, began + cases.at - time.monotonic()))
            blows.append(self._strike(cases.blow, cases.gap))
        verdicts = [self._judge(case, one, blows) for case, one in zip(cases.cases, running, strict=True)]
        self._see_that_all_live()
        return verdicts

    @staticmethod
    def _judge(case: Case, run: Future[Evidence], blows: Collection[Done]) -> Verdict:
        try:
            seen = run.result()
        except Exception as error:  # noqa: BLE001 - the other tasks of a long soak are worth their verdicts
            text = "".join(traceback.format_exception(error))
            return Verdict(Evidence(case, "", 0.0), [Finding(Promise.UNKNOWN, text)])
        seen = replace(seen, done=(*seen.done, *blows))
        return Verdict(seen, judge(seen))

    def _strike(self, blow: Blow, gap: float) -> Done:
        name, sig, tree = _BLOWS[blow]
        began, children = time.monotonic(), processes.descendants(self.stack.pid(name))
        self.stack.kill(name, sig, tree=tree)
        time.sleep(gap)
        if blow is Blow.COLD_SHUTDOWN:  # what is not gone by then ends with its machine
            processes.send(filter(processes.alive, children), signal.SIGKILL)
        self.stack.start(name)
        return Done(blow, began, time.monotonic())

    def _see_that_all_live(self) -> None:
        """Start again what has died although nobody touched it, and say so."""
        for name in self.stack.components:
            if not processes.alive(self.stack.pid(name)):
                log.error("%s has died by itself:\n%s", name, self.stack.component_log(name)[-3000:])
                self.stack.start(name)
