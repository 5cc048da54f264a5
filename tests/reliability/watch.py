"""Sees what becomes of one task: which moments have come, and which processes it has."""

from __future__ import annotations

import time
from pathlib import Path

from airflow_provider_aegis.emulator import Emulator
from tests.e2e import processes

from . import journal
from .cases import Case, Moment
from .database import Database, Instance
from .journal import Entry

# Airflow's database is asked no more often than this (seconds).
_LOOK = 0.4


class Watch:
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


def _is_task(pid: int) -> bool:
    """Tell whether a process still is one of Airflow's tasks: its id may be another program's by now."""
    try:
        return processes.alive(pid) and b"airflow" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
