"""What must be so at any time, whatever happens. A violation says which promise was broken, and what led to it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import NoReturn

from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError, AirflowTaskTimeout

from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.jobs.once_task import Phase, classify
from airflow_provider_aegis.emulator.faults import Fault
from airflow_provider_aegis.emulator.http import HttpResponse, Request
from airflow_provider_aegis.emulator.operations import DESCRIBED_TYPES
from airflow_provider_aegis.emulator.tasks import Task
from airflow_provider_aegis.exceptions import OnceTaskDeadlineError
from tests.state_machine.airflow import SIGKILL_AFTER, Airflow
from tests.state_machine.instance import Ending, Process
from tests.state_machine.triggerer import ON_KILL_SECONDS
from tests.state_machine.world import Sender, World

START, READ, CANCEL = "GenerateOnceTask", "GetOnceTaskResultInfo", "CancelOnceTask"
# What a try may end with.
EXPECTED = (SecurityCenterError, AirflowException, AirflowRuntimeError, AirflowTaskTimeout)
# A process that learns this late before its SIGKILL what it has to cancel cannot.
HASTE = 1.0
# Seconds around a deadline that are still "at the deadline".
SLACK = 0.5
# Scans that began so many seconds from one another cannot be told apart by their time.
WINDOW = 700.0


class BrokenPromiseError(AssertionError):
    """A promise of the README does not hold."""


@dataclass(eq=False)
class Own:
    """A scan that the task started.

    :param clears: how often the task had been cleared before.
    :param version: of the task's arguments.
    :param deadline: of the try that started it.
    :param known: who knows it for the task's own, and since when.
    :param seen_over: who was told that it is over, and when.
    :param green: whether the task succeeded with it.
    :param cancel: when its cancellation was asked for.
    """

    scan: Task
    clears: int
    version: int
    deadline: float
    known: dict[Sender, float] = field(default_factory=dict)
    seen_over: dict[Sender, float] = field(default_factory=dict)
    green: bool = False
    cancel: float | None = None


class Oracle:
    """Watches one task.

    :param timeout: of its operator, seconds.
    :param adopts: whether it may take over somebody else's scan.
    :param sure: whether a scan whose start got no answer can be told from all others; else the time decides, and what
        it finds is watched and not taken for the task's own.
    """

    def __init__(self, world: World, airflow: Airflow, *, timeout: float, adopts: bool, sure: bool) -> None:
        self.world, self.airflow = world, airflow
        self.own: dict[str, Own] = {}
        self._timeout, self._adopts, self._sure = timeout, adopts, sure
        self._endings = 0
        self._troubles: list[float] = []
        self._sent: dict[int, float] = {}
        self._checked: set[Sender] = set()
        world.watchers.append(self)

    # --- what goes over the wire

    def sent(self, sender: Sender, request: Request) -> None:
        """Look at a request before it arrives."""
        scan_id = dict(request.pairs).get("TaskId", "")
        self._sent[id(request)] = self.world.now
        if request.action != "GetLastOnceTaskInfo":
            self.world.note(f"{sender.name}: {request.action} {scan_id}")
        if request.action == START and getattr(sender, "terminated_at", math.inf) < self.world.now:
            self._broken("a process starts a scan after it got SIGTERM")
        if request.action == CANCEL:
            self._check_cancel(sender, scan_id)

    def carried_out(self, sender: Sender, request: Request, started: Task | None, fault: Fault) -> None:
        """Look at what Security Center did."""
        if fault.kind != "nothing" or fault.delay > 1:
            self._troubles.append(self._sent[id(request)])
            self.world.note(f"{request.action} meets {fault.kind} {fault.code} {fault.delay or ''}")
        if started:
            self.world.note(f"scan {started.task_id} begins")
            self._check_start(started, self._process_of(sender))

    def answered(self, sender: Sender, request: Request, reply: HttpResponse) -> None:
        """Look at what a process learns."""
        payload = json.loads(reply.body) if reply.status == 200 and reply.body[:1] == b"{" else {}
        if request.action == START and (own := self.own.get(str(payload.get("TaskId")))):
            own.known[sender] = self.world.now
        if request.action == READ and (own := self._find(request)):
            if self._is_stored(own):
                own.known.setdefault(sender, self.world.now)
            status = (payload.get("TaskInfo") or {}).get("Status")
            if classify(status) in (Phase.SUCCESS, Phase.FAILED, Phase.TIMEOUT):
                own.seen_over.setdefault(sender, self.world.now)

    def _find(self, request: Request) -> Own | None:
        return self.own.get(dict(request.pairs).get("TaskId", ""))

    def _process_of(self, sender: Sender) -> Process:
        """The process that sends, or for a trigger the one that deferred last."""
        own = [process for process in self.airflow.processes if process.worker is sender]
        return (own or self.airflow.processes)[-1]

    # --- promises

    def _check_start(self, scan: Task, process: Process) -> None:
        for own in self.own.values():
            if self._is_excused(own, process):
                continue
            if self.world.runs(own.scan):
                self._broken(f"scan {scan.task_id} is started while {own.scan.task_id} of the same task runs")
            if classify(own.scan.outcome) is Phase.SUCCESS and not (own.cancel or self._is_unwanted(own, process)):
                self._broken(f"scan {scan.task_id} is started although {own.scan.task_id} of the same task succeeded")
        self.own[scan.task_id] = Own(scan, process.clears, process.version, process.began + self._timeout)

    def _is_unwanted(self, own: Own, process: Process) -> bool:
        """Whether a scan is of no use any more to a process: its task was cleared or changed, or its time is over."""
        changed = own.version != process.version or own.clears < len(self.airflow.clears)
        return changed or own.deadline <= self.world.now + SLACK

    def _is_excused(self, own: Own, process: Process) -> bool:
        """Whether nothing but the time tells that a scan is the task's own, and so it may not be cancelled; or another
        one may be taken for it.
        """
        if self._is_stored(own):
            return False
        # Where the service lists no scans of a type, and names no id, nothing leads from a source to an id.
        nameless = own.scan.task_type not in DESCRIBED_TYPES and self.world.settings.result_task_id != "hex"
        return (nameless or not self._sure) and (self._is_hidden(own) or self._is_unwanted(own, process))

    def _is_stored(self, own: Own) -> bool:
        """Whether the store leads to a scan, as the task's own."""
        rows = [json.loads(row) for row in self.airflow.store.values()]
        return any(row.get("once_task_id") == own.scan.task_id and row.get("ours") for row in rows)

    def _is_hidden(self, own: Own) -> bool:
        """Whether another scan of its kind began at about the same time."""
        return any(
            (other.task_type, other.task_name) == (own.scan.task_type, own.scan.task_name)
            and other is not own.scan
            and abs(other.start_time - own.scan.start_time) < 1000 * WINDOW
            for other in self.world.scans
        )

    def _check_cancel(self, sender: Sender, scan_id: str) -> None:
        own = self.own.get(scan_id)
        if own is None:
            self._broken(f"{sender.name} cancels scan {scan_id}, which this task did not start")
        if own.green or own.seen_over.get(sender, math.inf) < self.world.now - SIGKILL_AFTER:
            self._broken(f"{sender.name} cancels scan {scan_id}, though it was told before that it is over")
        process = self._process_of(sender)
        late = process.began + self._timeout <= self.world.now + SLACK
        asked_for = self.airflow.ended_by_user is not None or late or self._is_unwanted(own, process)
        if self.world.runs(own.scan) and not asked_for:
            how = "in on_kill" if math.isfinite(getattr(sender, "terminated_at", math.inf)) else "by itself"
            self._broken(f"{sender.name} cancels scan {scan_id} {how}, and nobody asked for it")
        own.cancel = self.world.now

    def check_endings(self) -> None:
        """Look at how tries ended since the last look."""
        fresh, self._endings = self.airflow.endings[self._endings :], len(self.airflow.endings)
        for ending in fresh:
            if ending.state == "success" and ending.result is not None:
                self._check_green(ending)
            if ending.error and not isinstance(ending.error, EXPECTED):
                raise BrokenPromiseError(f"a try ends with {ending.error!r}") from ending.error
            if isinstance(ending.error, OnceTaskDeadlineError) and ending.at < ending.began + self._timeout - SLACK:
                self._broken(
                    f"the deadline is said to have passed {ending.began + self._timeout - ending.at:.0f} s early"
                )

    def _check_green(self, ending: Ending) -> None:
        scan_id = ending.xcoms.get("once_task_id")
        scan = next((scan for scan in self.world.scans if scan.task_id == scan_id), None)
        if scan is None or scan.end > ending.at or classify(scan.outcome) is not Phase.SUCCESS:
            self._broken(f"the task is green, and its scan {scan_id} has not succeeded")
        if scan.task_id in self.own:
            self.own[scan.task_id].green = True
        if scan.task_id not in self.own and self._sure and not self._adopts:
            self._broken(f"the task is green with scan {scan_id}, which it did not start")
        marked = max((clear.at for clear in self.airflow.clears if clear.marked), default=0.0)
        began = min(process.began for process in self.airflow.processes if process.began >= marked)
        if scan.end < began and self._sure and scan.task_id not in self.own:
            self._broken(f"the task is green with scan {scan_id} of somebody else, which was over before it began")
        if scan.end < marked:
            self._broken(f"the task is green with scan {scan_id}, which was over before a user cleared it")

    def check_kills(self) -> None:
        """Look at what became of the scans of processes and triggers that were told of a user's action."""
        for process in self.airflow.processes:
            worker = process.worker
            if worker.killed_at >= worker.terminated_at + SIGKILL_AFTER - HASTE:
                self._check_kill(worker, process.created, worker.terminated_at, SIGKILL_AFTER)
        for running in self.airflow.triggers:
            self._check_kill(running, 0.0, running.killed_at, ON_KILL_SECONDS)

    def _check_kill(self, sender: Sender, created: float, at: float, seconds: float) -> None:
        until = at + seconds
        if until >= self.world.now or sender in self._checked:
            return
        self._checked.add(sender)
        actions = [when for when in self.airflow.user_actions if created < when < until]
        if len(actions) != 1 or actions[0] > at or self._was_troubled(at, until):
            return
        for own in self.own.values():
            if own.known.get(sender, math.inf) < until - HASTE and own.scan.end > until:
                self._broken(
                    f"scan {own.scan.task_id} runs on, though on_kill of {sender.name} could have cancelled it"
                )

    def _was_troubled(self, since: float, until: float) -> bool:
        """Whether Security Center or Airflow could not be asked as usual."""
        return (
            any(since <= trouble <= until for trouble in self._troubles)
            or self.airflow.away_until > since
            or self.world.unreachable_until > since
        )

    def check_leftovers(self) -> None:
        """Look at what still runs once everything has come to rest."""
        for own in self.own.values():
            if not self.world.runs(own.scan) or self._is_excused(own, self.airflow.processes[-1]):
                continue
            if self.airflow.endings[-1].state == "success" and self.airflow.ended_by_user is None:
                self._broken(f"the task is green, and its scan {own.scan.task_id} runs on")
            if not self._is_remembered(own.scan):
                self._broken(f"scan {own.scan.task_id} is lost: it runs on, and nothing in the store leads to it")

    def _is_remembered(self, scan: Task) -> bool:
        text = " ".join(self.airflow.store.values())
        if scan.task_id in text or (scan.source and scan.source in text):
            return True
        intents = [json.loads(row) for row in self.airflow.store.values()]
        began = scan.start_time / 1000
        return any(
            not intent.get("once_task_id") and intent.get("since", began) - 5 <= began <= intent.get("since", 0) + 600
            for intent in intents
            if isinstance(intent, dict)
        )

    def _broken(self, promise: str) -> NoReturn:
        raise BrokenPromiseError("\n".join([promise, *self.world.history[-60:]]))
