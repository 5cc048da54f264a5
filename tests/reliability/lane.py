"""Runs one case after the other on an emulator of its own, and returns what was seen."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.emulator.refusals import RefusalError
from tests.e2e import processes
from tests.e2e.api import ApiError
from tests.e2e.stack import AirflowStack

from . import journal
from .cases import Act, Case, Moment, What
from .database import FINAL, Database, Instance
from .evidence import Done, Evidence, cancels_of, scans_of
from .journal import Entry
from .troubles import TROUBLES

#: A moment that has not come by then does not come any more.
_MOMENT_SECONDS = 40.0
_CASE_SECONDS = 300.0
# The triggerer gives on_kill 30 s, and cancels are tried again while the service is down.
_SETTLE_SECONDS = 60.0
_TICK, _LOOK = 0.03, 0.4


class Lane:
    """A place for one task at a time.

    :param number: tells it from the others.
    :param stack: the Airflow, which several lanes share.
    :param folder: where the tasks write their journals.
    """

    def __init__(self, number: int, sas: Emulator, stack: AirflowStack, database: Database, folder: Path) -> None:
        self._sas, self._stack, self._database, self._folder = sas, stack, database, folder
        self._connection = connection_id(number)

    def run(self, case: Case, until: float = 0.0) -> Evidence:
        """Start the task, do what the case says, and wait until it is over and all has been tidied up.

        :param until: scans go on until then at least.
        """
        self._prepare(case)
        began = time.monotonic()
        run_id = self._patiently(
            lambda: self._stack.trigger(case.dag_id, {"name": case.name, "connection": self._connection})
        )
        watch = _Watch(case, run_id, self._sas, self._database, self._folder)
        done: list[Done] = []
        theirs: set[str] = set()
        stuck = False
        acts = list(case.acts)
        armed, trouble = began, case.trouble if case.trouble and case.trouble.moment else None
        while True:
            watch.look()
            now = time.monotonic()
            if trouble and trouble.moment and watch.seen(trouble.moment):
                TROUBLES[trouble.name](self._sas, trouble.seconds)
                trouble = None
            if acts and (due := self._due(acts[0], watch, armed)) is not None and due <= now:
                act = acts.pop(0)
                if due >= 0:
                    done.append(self._do(act, run_id, watch, theirs))
                    watch.forget()
                armed = time.monotonic()
            over = watch.instance.state in FINAL and not acts
            if over or (stuck := now > began + _CASE_SECONDS):
                break
            if not acts:
                self._finish(case, max(armed, until))
            time.sleep(_TICK)
        self._settle(watch, theirs)
        evidence = self._collect(case, run_id, began, watch, done, theirs, stuck=stuck)
        evidence = replace(evidence, swept=self._sweep(watch, theirs))
        self._tidy_up(watch)
        return evidence

    def _prepare(self, case: Case) -> None:
        sas = self._sas
        sas.accept_connections()
        sas.reset()
        for process in range(1, journal.PROCESSES + 1):
            sas.add_key(journal.key_of(process), sas.access_key_secret)
        sas.set(
            seconds=3600,
            running_limit=100,
            requests_per_second=0,
            outcome=case.outcome,
            repeat_check=case.repeat_check,
            source_filter=case.source_filter,
        )
        if case.trouble and case.trouble.moment is None:
            TROUBLES[case.trouble.name](sas, case.trouble.seconds)

    def _due(self, act: Act, watch: _Watch, armed: float) -> float | None:
        """Return when an act is due, -1 if it cannot be done any more, `None` if its moment has not come yet."""
        seen = watch.seen(act.moment)
        if seen:
            return max(seen, armed) + act.delay
        late = time.monotonic() > armed + _MOMENT_SECONDS
        return -1 if late or watch.instance.state in FINAL else None

    def _finish(self, case: Case, since: float) -> None:
        """End each scan when it has run for as long as the case says."""
        now = time.monotonic()
        if now < since + 1:
            return
        for task in self._sas.tasks.values():
            if task.running and min(task.age, now - since) >= case.hold:
                self._sas.finish(task.task_id, case.outcome)

    # What is done

    def _do(self, act: Act, run_id: str, watch: _Watch, theirs: set[str]) -> Done:
        watch.look(force=True)
        last, state, began, error = watch.last, watch.instance.state, time.monotonic(), ""
        task, supervisor = (last.pid, last.supervisor) if last else (0, 0)
        try:
            match act.what:
                case What.COLLEAGUE:
                    theirs.add(_start_theirs(self._sas, watch.case.name))
                case What.KILL_TASK:
                    error = self._kill(signal.SIGKILL, task)
                case What.TERM_TASK:
                    error = self._kill(signal.SIGTERM, task)
                case What.KILL_SUPERVISOR:
                    error = self._kill(signal.SIGKILL, supervisor)
                case What.TERM_SUPERVISOR:
                    error = self._kill(signal.SIGTERM, supervisor)
                case What.KILL_BOTH:
                    error = self._kill(signal.SIGKILL, supervisor, task)
                case _:
                    self._patiently(lambda: self._as_user(act.what, watch.case.dag_id, run_id))
        except (ApiError, ValueError) as problem:
            error = str(problem)
        return Done(act.what, began, time.monotonic(), state, last.process if last else 0, error)

    def _kill(self, sig: signal.Signals, *pids: int) -> str:
        living = [pid for pid in pids if pid and processes.alive(pid)]
        processes.send(living, sig)
        if sig == signal.SIGKILL:
            processes.gone(living, 5)
        return "" if living else "there was no process"

    def _as_user(self, what: What, dag_id: str, run_id: str) -> None:
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

    def _patiently(self, ask: Callable[[], str | None]) -> str:
        """Ask the api-server, which may be dead for a while."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return ask() or ""
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            except ApiError as error:
                if error.status < 500 or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    # The end

    def _settle(self, watch: _Watch, theirs: set[str]) -> None:
        """Wait until every process of the task is gone and what it has to cancel is cancelled, or is not."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            watch.look(force=True)
            ours = set(self._sas.running) - theirs
            if not ours and not watch.living():
                break
            time.sleep(_LOOK)

    def _collect(
        self, case: Case, run_id: str, began: float, watch: _Watch, done: list[Done], theirs: set[str], *, stuck: bool
    ) -> Evidence:
        log = self._sas.log
        try:
            pushed = self._patiently(lambda: str(self._stack.xcom(case.dag_id, run_id, "scan", "once_task_id")))
        except ApiError:
            pushed = ""
        marks = f"run_id={run_id}", "state attribute is queued"
        return Evidence(
            case=case,
            run_id=run_id,
            began=began,
            scans=scans_of(self._sas, theirs),
            cancels=cancels_of(log),
            entries=tuple(watch.entries),
            done=tuple(done),
            state=watch.instance.state,
            try_number=watch.instance.try_number,
            tries=tuple(self._database.tries(run_id)),
            once_task_id=pushed or None,
            stuck=stuck,
            races=sum(
                all(mark in line for mark in marks) for line in self._stack.component_log("scheduler").splitlines()
            ),
            log=tuple(log),
        )

    def _sweep(self, watch: _Watch, theirs: set[str]) -> frozenset[str]:
        """Let an administrator's command cancel what is left running."""
        left = set(self._sas.running) - theirs
        if not left or watch.instance.state not in FINAL:
            return frozenset()
        self._sas.heal()
        self._stack.cli("aegis", "sweep", "--conn-id", self._connection, "--cancel")
        return frozenset(left - set(self._sas.running))

    def _tidy_up(self, watch: _Watch) -> None:
        if watch.instance.state not in FINAL:
            self._patiently(lambda: self._stack.end_run(watch.case.dag_id, watch.run_id))
        self._sas.heal()
        self._sas.accept_connections()
        for once_task_id in self._sas.running:
            self._sas.finish(once_task_id)
        processes.send(watch.living(), signal.SIGKILL)


class _Watch:
    """Sees when each moment of a task comes."""

    def __init__(self, case: Case, run_id: str, sas: Emulator, database: Database, folder: Path) -> None:
        self.case, self.run_id = case, run_id
        self.entries: list[Entry] = []
        self.instance = Instance("", None, 0, None)
        self._sas, self._database, self._folder = sas, database, folder
        self._looked = 0.0
        self._seen: dict[Moment, float] = {}
        self._processes = 0

    @property
    def last(self) -> Entry | None:
        """The last process that began."""
        return next((entry for entry in reversed(self.entries) if entry.what.startswith("execute")), None)

    def look(self, *, force: bool = False) -> None:
        """See how the task stands."""
        now = time.monotonic()
        self.entries = journal.read(self._folder, self.case.name)
        count, requests = len({entry.process for entry in self.entries}), self._sas.requests
        if force or now > self._looked + _LOOK:
            self.instance, self._looked = self._database.instance(self.run_id), now
        happens = {
            Moment.PROCESS: count > 0,
            Moment.REQUEST: requests["GenerateOnceTask"] > 0,
            Moment.STARTED: bool(self._sas.started),
            Moment.READ: requests["GetOnceTaskResultInfo"] > 0,
            Moment.DEFERRED: self.instance.state == "deferred",
            Moment.AGAIN: count > self._processes,
            Moment.BETWEEN: self.instance.state == "up_for_retry",
        }
        for moment, holds in happens.items():
            if holds:
                self._seen.setdefault(moment, now)

    def seen(self, moment: Moment) -> float | None:
        """Return when a moment was first seen."""
        return self._seen.get(moment)

    def forget(self) -> None:
        """Something has been done: from now on `again` and the states are of what comes after it."""
        self._processes = len({entry.process for entry in self.entries})
        for moment in (Moment.AGAIN, Moment.DEFERRED, Moment.BETWEEN):
            self._seen.pop(moment, None)

    def living(self) -> list[int]:
        """Return the processes of the task that still run."""
        return [pid for pid in {entry.pid for entry in self.entries} if _is_task(pid)]


def connection_id(number: int) -> str:
    """Return the id of a lane's connection."""
    return f"lane_{number}"


def _is_task(pid: int) -> bool:
    """Tell whether a process still is one of Airflow's tasks: its id may be another program's by now."""
    try:
        return processes.alive(pid) and b"airflow" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _start_theirs(sas: Emulator, name: str) -> str:
    """Start a scan as a colleague does in the console, past the faults, which are the task's."""
    tasks = sas._center._tasks
    try:
        task = tasks.start(task_type="VUL_CHECK_TASK", task_name=name, param={}, source="console")
    except RefusalError as refusal:
        raise ValueError(f"{refusal}") from refusal
    assert task, "this many scans may run"
    return task.task_id
