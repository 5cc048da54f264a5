"""Does to a task what its case says, as a kernel, an administrator or a user would."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import httpx

from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.emulator.errors import EmulatedError
from tests.e2e import processes
from tests.e2e.api import ApiError
from tests.e2e.stack import AirflowStack

from .cases import Act, Trouble, What
from .evidence import Done
from .troubles import TROUBLES
from .watch import Watch

#: So long an api-server may be dead.
_PATIENCE = 120.0

#: Seconds between the two signals of an eviction: less than Airflow leaves its tasks.
_GRACE = 3.0

_TASK, _SUPERVISOR = "the task's process", "its supervisor"
_TERM, _KILL = signal.SIGTERM, signal.SIGKILL
#: Which signals go to which of the two processes.
_SIGNALS = {
    What.KILL_TASK: [(_TASK, _KILL)],
    What.TERM_TASK: [(_TASK, _TERM)],
    What.KILL_SUPERVISOR: [(_SUPERVISOR, _KILL)],
    What.TERM_SUPERVISOR: [(_SUPERVISOR, _TERM)],
    What.KILL_BOTH: [(_SUPERVISOR, _KILL), (_TASK, _KILL)],
    What.EVICT: [(_SUPERVISOR, _TERM), (_TASK, _TERM), (_SUPERVISOR, _KILL), (_TASK, _KILL)],
}

Response = TypeVar("Response")


class Deeds:
    """What is done to a task, with a record of it.

    :param watch: knows the task's processes and how it stands.
    """

    def __init__(self, watch: Watch, sas: Emulator, stack: AirflowStack) -> None:
        self.done: list[Done] = []
        self.theirs: set[str] = set()  #: ids of the scans that a colleague started
        self.trouble_began: float | None = None
        self._watch, self._sas, self._stack = watch, sas, stack

    def do(self, act: Act) -> None:
        """Do it now; what cannot be done is in the record, too."""
        self._watch.look(force=True)
        last, state, began, error = self._watch.last, self._watch.instance.state, time.monotonic(), ""
        try:
            if act.what is What.COLLEAGUE:
                self.theirs.add(self._start_theirs())
            elif act.what in _SIGNALS:
                self._signal(_SIGNALS[act.what])
            else:
                patiently(lambda: self._as_user(act.what))
        except (ApiError, EmulatedError, ProcessLookupError) as problem:
            error = str(problem)
        process = last.process if last else 0
        self.done.append(Done(act.what, began, time.monotonic(), state, process, error))
        self._watch.forget()

    def make_trouble(self, trouble: Trouble) -> None:
        """Let something go wrong with the service."""
        TROUBLES[trouble.name](self._sas, trouble.seconds)
        self.trouble_began = time.monotonic()

    def kill_all(self) -> None:
        """End every process of the task."""
        processes.send(self._watch.living(), signal.SIGKILL)

    def _signal(self, signals: Sequence[tuple[str, signal.Signals]]) -> None:
        last = self._watch.last
        if last is None or not processes.alive(last.pid):
            raise ProcessLookupError("there was no process")
        pids = {_TASK: last.pid, _SUPERVISOR: last.supervisor}
        for whose, sig in signals:
            if sig is _KILL and (whose, _TERM) in signals:
                processes.gone([pids[whose]], _GRACE)
            processes.send([pids[whose]], sig)
        processes.gone([pids[whose] for whose, sig in signals if sig is _KILL], 5)

    def _as_user(self, what: What) -> None:
        dag_id, run_id = self._watch.case.dag_id, self._watch.run_id
        match what:
            case What.MARK_FAILED:
                self._stack.mark(dag_id, run_id, "scan", "failed")
            case What.MARK_SUCCESS:
                self._stack.mark(dag_id, run_id, "scan", "success")
            case What.CLEAR:
                self._stack.clear(dag_id, run_id, "scan")
            case What.END_RUN:
                self._stack.end_run(dag_id, run_id)
            case What.CLEAR_OTHER:
                self._stack.clear(dag_id, run_id, "other")

    def _start_theirs(self) -> str:
        """Start a scan as a colleague does in the console, past the faults, which are the task's."""
        tasks = self._sas._account._tasks
        task = tasks.start(task_type="VUL_CHECK_TASK", task_name=self._watch.case.name, param={}, source="console")
        assert task, "this many scans may run"
        return task.task_id


def patiently(ask: Callable[[], Response]) -> Response:
    """Ask the api-server, which may be dead for a while."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return ask()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        except ApiError as error:
            if error.status < 500 or time.monotonic() > deadline:
                raise
        time.sleep(0.5)
