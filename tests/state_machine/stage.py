"""A task, its Airflow and a Security Center put together, and the verbs that a test moves them with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar, cast

from airflow_provider_aegis.emulator.faults import Fault
from airflow_provider_aegis.emulator.http import HttpResponse, Request
from airflow_provider_aegis.emulator.tasks import Task
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from tests.state_machine import seam
from tests.state_machine.airflow import HEARTBEAT_TIMEOUT, Airflow
from tests.state_machine.oracle import START, BrokenPromiseError, Oracle
from tests.state_machine.world import Sender, World

T = TypeVar("T")

DAY = 86400.0
ELSEWHERE = "IMAGE_REGISTRY_PULL"


class Stage:
    """One task in a world of its own.

    :param emulator: settings of the emulator.
    """

    def __init__(
        self,
        *,
        task_type: str = "VUL_CHECK_TASK",
        deferrable: bool = False,
        on_conflict: str = "wait",
        timeout: float = 3600.0,
        heartbeat: float = 5.0,
        source: str | None = None,
        execution_timeout: float | None = None,
        **emulator: Any,
    ) -> None:
        self.task_type = task_type
        self.world = World(**{"seconds": 2000.0, **emulator})
        self.airflow = Airflow(self.world, self._make, heartbeat=heartbeat)
        self.oracle = Oracle(
            self.world,
            self.airflow,
            timeout=min(timeout, execution_timeout or timeout),
            adopts=on_conflict == "adopt",
            sure=source is None and emulator.get("source_filter", "honoured") == "honoured",
        )
        self.seen = self.airflow.seen
        self.world.watchers.append(self)
        self._how: dict[str, Any] = {
            "deferrable": deferrable,
            "on_conflict": on_conflict,
            "timeout": timeout,
            "source": source,
            "execution_timeout": execution_timeout and timedelta(seconds=execution_timeout),
        }
        self._undo = ExitStack()
        self._undo.enter_context(seam.joined(self.world))
        logging.disable(logging.CRITICAL)
        self._undo.callback(logging.disable, logging.NOTSET)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make(self, version: int) -> AegisOnceTaskOperator:
        param = {"version": version}
        operator = AegisOnceTaskOperator(task_id="scan", once_task_type=self.task_type, param=param, **self._how)
        operator._cached_logger = cast(Any, logging.getLogger(__name__))  # Airflow's own writes to stdout
        return operator

    # --- time

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self._watched(lambda: self.world.run(seconds))

    def step(self, number: int = 1) -> None:
        """Let the next things happen."""
        self._watched(lambda: [self.world.step() for _ in range(number)])

    def run_until(self, point: str, seconds: float = DAY) -> bool:
        """Let time pass up to a point.

        :param point: a state of the task, or a request as ``GenerateOnceTask sent``, ``carried out`` or ``answered``.
        :return: whether it came.
        """
        self.seen.clear()
        known = len(self.airflow.states)
        return self._watched(
            lambda: self.world.run(seconds, lambda: point in self.seen or point in self.airflow.states[known:])
        )

    def settle(self) -> None:
        """Let everything be well again, and look at what is left once all has come to rest."""
        self.world.note("all is well again")
        self.world.account.heal()
        self.world.unreachable_until = min(self.world.unreachable_until, self.world.now)
        self.airflow.away_until = min(self.airflow.away_until, self.world.now)
        for scan in self.world.scans:
            if scan.task_id not in self.oracle.own and self.world.runs(scan):
                self.world.account.finish(scan.task_id)
        self._watched(lambda: self.world.run(2 * DAY, lambda: self.airflow.state in ("none", "success", "failed")))
        self.run(60.0)
        self._watched(self.oracle.check_leftovers)

    def recover(self) -> None:
        """Clear the task once all is well: nothing of what happened before may keep it from becoming green."""
        for own in (True, False):
            self.end_scans(own=own)
        self.world.account.set(seconds=30.0)
        self.airflow.clear()
        self.run(HEARTBEAT_TIMEOUT + 600)
        if self.airflow.state != "success":
            raise BrokenPromiseError("\n".join(["the task does not become green any more", *self.world.history]))

    def _watched(self, do: Callable[[], T]) -> T:
        done = do()
        self.oracle.check_endings()
        self.oracle.check_kills()
        return done

    # --- what others do in the account

    def colleague_starts(self, task_type: str | None = None) -> str | None:
        """Let a colleague start a scan, of the task's kind unless told otherwise; the service may refuse it."""
        kind = task_type or self.task_type
        scan_id = seam.start_elsewhere(self.world, kind)
        self.world.note(f"a colleague starts {kind}: {scan_id}")
        return scan_id

    def fill_account(self) -> None:
        """Let others run as many scans as may run at a time."""
        while self.colleague_starts(f"{ELSEWHERE}_{len(self.world.scans)}"):
            pass

    def end_scans(self, *, own: bool, outcome: str = "SUCCESS") -> None:
        """Let the scans of the task, or those of others, be over."""
        for scan in self.world.scans:
            if self.world.runs(scan) and (scan.task_id in self.oracle.own) is own:
                self.world.note(f"scan {scan.task_id} ends with {outcome}")
                self.world.account.finish(scan.task_id, outcome)

    def inject(self, action: str, fault: Fault, *, times: int | None = None, seconds: float | None = None) -> None:
        """Let something go wrong with requests."""
        self.world.note(f"from now on {action} meets {fault.kind} {fault.code} (after: {fault.after})")
        self.world.account.inject(action, fault.to_json(), times=times, seconds=seconds)

    def lose_start(self) -> None:
        """Lose the answer to the next start."""
        self.inject(START, Fault.reset(after=True), times=1)

    def lose_network(self, seconds: float) -> None:
        """Let no connection to Security Center come about for so many seconds."""
        self.world.note(f"Security Center cannot be reached for {seconds:g} s")
        self.world.unreachable_until = self.world.now + seconds

    # --- for run_until

    def sent(self, sender: Sender, request: Request) -> None:
        """Note it; see :class:`tests.state_machine.world.Watcher`."""
        self.seen.add(f"{request.action} sent")

    def carried_out(self, sender: Sender, request: Request, started: Task | None, fault: Fault) -> None:
        """Note it."""
        self.seen.add(f"{request.action} carried out")

    def answered(self, sender: Sender, request: Request, reply: HttpResponse) -> None:
        """Note it."""
        self.seen.add(f"{request.action} answered")

    def close(self) -> None:
        """End everything."""
        try:
            self.airflow.close()
        finally:
            self._undo.close()
