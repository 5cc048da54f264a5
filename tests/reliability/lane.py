"""A place where one task at a time runs, on an emulator of its own, and is hit."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from airflow_provider_aegis.emulator import Emulator
from tests.e2e.api import ApiError, new_run_id
from tests.e2e.stack import AirflowStack

from . import journal
from .cases import Act, Case
from .database import FINAL, Database
from .deeds import Deeds, patiently
from .evidence import Evidence, cancels_of, scans_of
from .watch import Watch

#: A moment that has not come by then does not come any more.
_MOMENT_SECONDS = 40.0
_CASE_SECONDS = 300.0
# The triggerer gives on_kill 30 s, and cancels are tried again while the service is down.
_SETTLE_SECONDS = 60.0
_TICK, _LOOK = 0.03, 0.4
#: In the scheduler's log: it took a deferral for a failure, since it heard of the worker's end too late.
_RACE = "state attribute is queued"


@dataclass(frozen=True, slots=True)
class Lane:
    """What the tasks of a place use, one after the other.

    :param connection: id of the connection to `sas`, which is this lane's alone.
    :param folder: where the tasks write their journals.
    """

    connection: str
    sas: Emulator
    stack: AirflowStack
    database: Database
    folder: Path

    def run(self, case: Case, until: float = 0.0) -> Evidence:
        """Start a task, do what the case says, and wait until it is over and all has been tidied up.

        :param until: scans go on until then at least.
        """
        self._prepare(case)
        began, run_id = time.monotonic(), new_run_id()
        watch = Watch(case, run_id, self.sas, self.database, self.folder)
        deeds = Deeds(watch, self.sas, self.stack)
        if case.trouble and case.trouble.moment is None:
            deeds.make_trouble(case.trouble)
        self._trigger(case, run_id)
        stuck = not self._hit(case, watch, deeds, began, until)
        self._settle(watch, deeds)
        evidence = self._collect(case, watch, deeds, began)
        evidence = replace(evidence, stuck=stuck, swept=self._sweep(watch, deeds))
        self._tidy_up(watch, deeds)
        return evidence

    def _prepare(self, case: Case) -> None:
        self.sas.accept_connections()
        self.sas.reset()
        for process in range(1, journal.PROCESSES + 1):
            self.sas.add_key(journal.key_of(process), self.sas.access_key_secret)
        self.sas.set(
            seconds=3600,
            running_limit=100,
            requests_per_second=0,
            outcome=case.outcome,
            repeat_check=case.repeat_check,
            source_filter=case.source_filter,
        )

    def _trigger(self, case: Case, run_id: str) -> None:
        conf = {"name": case.name, "connection": self.connection}
        try:
            patiently(lambda: self.stack.trigger(case.dag_id, conf, run_id=run_id))
        except ApiError as error:
            if error.status != 409:  # else an earlier attempt got through, though not its answer
                raise

    def _hit(self, case: Case, watch: Watch, deeds: Deeds, began: float, until: float) -> bool:
        """Do all that the case says, end the scans, and tell whether the task came to an end."""
        acts, armed = list(case.acts), began
        trouble = case.trouble if case.trouble and case.trouble.moment else None
        while (now := time.monotonic()) < began + _CASE_SECONDS:
            watch.look()
            if trouble and trouble.moment and watch.seen(trouble.moment):
                deeds.make_trouble(trouble)
                trouble = None
            if acts and _is_due(acts[0], watch, armed):
                deeds.do(acts.pop(0))
                armed = time.monotonic()
            elif acts and _is_moot(acts[0], watch, armed):
                acts.pop(0)
                armed = now
            elif not acts and watch.instance.state in FINAL:
                return True
            elif not acts:
                self._finish(case, max(armed, until))
            time.sleep(_TICK)
        return False

    def _finish(self, case: Case, since: float) -> None:
        """End each scan when it has run for as long as the case says."""
        now = time.monotonic()
        if now < since + 1:
            return
        for task in self.sas.tasks.values():
            if task.running and min(task.age, now - since) >= case.hold:
                self.sas.finish(task.task_id, case.outcome)

    def _left(self, deeds: Deeds) -> set[str]:
        return set(self.sas.running) - deeds.theirs

    def _settle(self, watch: Watch, deeds: Deeds) -> None:
        """Wait until every process of the task is gone and what it has to cancel is cancelled, or is not."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            watch.look(force=True)
            if not self._left(deeds) and not watch.living():
                break
            time.sleep(_LOOK)

    def _collect(self, case: Case, watch: Watch, deeds: Deeds, began: float) -> Evidence:
        log = self.sas.log
        try:
            pushed = patiently(lambda: self.stack.xcom(case.dag_id, watch.run_id, "scan", "once_task_id"))
        except ApiError:
            pushed = None
        scheduled = self.stack.component_log("scheduler").splitlines()
        return Evidence(
            case=case,
            run_id=watch.run_id,
            began=began,
            trouble_began=deeds.trouble_began,
            scans=scans_of(self.sas, deeds.theirs),
            cancels=cancels_of(log),
            entries=tuple(watch.entries),
            done=tuple(deeds.done),
            state=watch.instance.state,
            try_number=watch.instance.try_number,
            tries=tuple(self.database.tries(watch.run_id)),
            once_task_id=pushed,
            races=sum(_RACE in line and watch.run_id in line for line in scheduled),
            log=tuple(log),
        )

    def _sweep(self, watch: Watch, deeds: Deeds) -> frozenset[str]:
        """Let an administrator's command cancel what is left running."""
        left = self._left(deeds)
        if not left or watch.instance.state not in FINAL:
            return frozenset()
        self.sas.heal()
        self.sas.accept_connections()
        self.stack.cli("aegis", "sweep", "--conn-id", self.connection, "--cancel")
        return frozenset(left - self._left(deeds))

    def _tidy_up(self, watch: Watch, deeds: Deeds) -> None:
        if watch.instance.state not in FINAL:
            patiently(lambda: self.stack.end_run(watch.case.dag_id, watch.run_id))
        self.sas.heal()
        self.sas.accept_connections()
        for once_task_id in self.sas.running:
            self.sas.finish(once_task_id)
        deeds.kill_all()


def _is_due(act: Act, watch: Watch, armed: float) -> bool:
    seen = watch.seen(act.moment)
    return seen is not None and max(seen, armed) + act.delay <= time.monotonic()


def _is_moot(act: Act, watch: Watch, armed: float) -> bool:
    """Tell whether the moment of an act does not come any more."""
    if watch.seen(act.moment) is not None:
        return False
    return watch.instance.state in FINAL or time.monotonic() > armed + _MOMENT_SECONDS
