"""What was seen of a task, by the emulator, by Airflow and by who did things to it; all times are of one clock."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.emulator.http import Received

from .cases import Blow, Case, What
from .journal import Entry


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that ran.

    :param ended: `None` while it runs.
    :param process: which of the task's processes started it, 0 where that is not known.
    :param theirs: whether a colleague started it.
    """

    once_task_id: str
    began: float
    ended: float | None
    status: str
    process: int
    theirs: bool = False

    def runs_at(self, moment: float) -> bool:
        """Whether it ran then."""
        return self.began <= moment and (self.ended is None or moment < self.ended)


@dataclass(frozen=True, slots=True)
class Cancel:
    """A request to cancel a scan, whatever came of it."""

    once_task_id: str
    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done.

    :param began: when it can have begun to have an effect.
    :param ended: when it surely had one.
    :param state: of the task instance just before.
    :param process: the task's last process at that time.
    :param error: why it could not be done.
    """

    what: What | Blow
    began: float
    ended: float
    state: str | None = None
    process: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was seen.

    :param trouble_began: when the trouble of the case began, if it did.
    :param state: of the task instance in the end.
    :param tries: how each earlier try ended.
    :param once_task_id: as the task pushed it.
    :param swept: ids of the scans that `airflow aegis sweep --cancel` cancelled after all that.
    :param stuck: whether it was given up to wait for an end.
    :param races: how often the scheduler took a deferral for a failure, which is Airflow's own.
    """

    case: Case
    run_id: str
    began: float
    trouble_began: float | None = None
    scans: tuple[Scan, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    entries: tuple[Entry, ...] = ()
    done: tuple[Done, ...] = ()
    state: str | None = None
    try_number: int = 0
    tries: tuple[str, ...] = ()
    once_task_id: str | None = None
    swept: frozenset[str] = frozenset()
    stuck: bool = False
    races: int = 0
    log: tuple[Received, ...] = field(default=(), repr=False)


def scans_of(sas: Emulator, theirs: Collection[str]) -> tuple[Scan, ...]:
    """Return the scans of an emulator, oldest first.

    :param theirs: ids of those that colleagues started.
    """
    tasks, now, starts = sas.tasks, time.monotonic(), [line for line in sas.log if line.action == "GenerateOnceTask"]
    scans = []
    for once_task_id in sas.started:
        task = tasks[once_task_id]
        began = now - task.age
        ended = None if task.end_time is None else began + (task.end_time - task.start_time) / 1000
        mine = once_task_id in theirs
        process = 0 if mine else _starter(starts, began, task.source)
        scans.append(Scan(once_task_id, began, ended, task.status, process, theirs=mine))
    return tuple(scans)


def cancels_of(log: Collection[Received]) -> tuple[Cancel, ...]:
    """Return the requests to cancel that came."""
    return tuple(
        Cancel(line.params.get("TaskId", ""), line.arrived, line.access_key_id)
        for line in log
        if line.action == "CancelOnceTask"
    )


def _starter(starts: Collection[Received], began: float, source: str) -> int:
    """Return the process whose request started a scan: by its token, or else by the time."""
    fitting = [line for line in starts if source and line.params.get("Source") == source and line.arrived <= began + 1]
    fitting = fitting or [line for line in starts if line.arrived <= began + 0.05]
    key = fitting[-1].access_key_id if fitting else ""
    return int(key.rpartition("-")[2]) if key.startswith("process-") else 0
