"""The tasks of a Security Center and how they move; no HTTP, no event loop, and the clock comes from outside."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aegis.client.config import Clock
from airflow_provider_aegis.emulator.errors import EmulatedError
from airflow_provider_aegis.emulator.settings import Settings

# The first part of a task's time in which it has not begun yet.
INIT_SHARE = 0.1


@dataclass(slots=True, kw_only=True)
class Task:
    """A task as it was started.

    :param start_time: epoch milliseconds.
    :param began: seconds of the clock that never jumps.
    :param seconds: how long it takes if nothing ends it before.
    :param outcome: the status word it ends with.
    :param ended: when something ended it before its time.
    """

    task_id: str
    task_type: str
    task_name: str
    param: dict[str, Any]
    source: str
    start_time: int
    began: float
    seconds: float
    outcome: str
    total: int
    ended: float | None = None

    @property
    def end(self) -> float:
        """When it ends or ended."""
        return self.began + self.seconds if self.ended is None else self.ended

    def share(self, now: float) -> float:
        """How much of its time had passed now, or when it ended."""
        return 1.0 if self.seconds <= 0 else min(1.0, (min(now, self.end) - self.began) / self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A task at one moment.

    :param start_time: epoch milliseconds, as ``end_time``, which is ``None`` while it runs.
    :param age: seconds since it was started.
    """

    task_id: str
    task_type: str
    task_name: str
    param: dict[str, Any] = field(repr=False)
    source: str
    status: str
    running: bool
    finish_count: int
    total_count: int
    percent: int
    start_time: int
    end_time: int | None
    age: float


class TaskStore:
    """All tasks of an account.

    :param clock: what time it is.
    :param settings: how tasks run; may be replaced at any time.
    """

    def __init__(self, *, clock: Clock, settings: Settings) -> None:
        self.settings = settings
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.virus_scans: list[dict[str, str]] = []
        self.pages_given: dict[str, int] = {}  # of lists that shift while they are read
        self._clock = clock
        self._tasks: dict[str, Task] = {}
        self._client_tokens: set[str] = set()

    def now_ms(self) -> int:
        """The service's time of day in epoch milliseconds."""
        return int((self._clock.time() + self.settings.clock_skew) * 1000)

    def start(self, *, task_type: str, task_name: str, param: Mapping[str, Any], source: str) -> Task | None:
        """Start a task.

        :return: ``None`` if too many run already.
        :raises EmulatedError: if one of the same kind runs, or was started too short a time ago.
        """
        running = self.running()
        kinds = {(task.task_type, task.task_name) for task in running}
        if self.settings.repeat_check == "name" and (task_type, task_name) in kinds:
            raise EmulatedError("TaskRepeat")
        if task_type == "ASSETS_COLLECTION" and self._collected_lately():
            raise EmulatedError("AssetsCollectionFrequencyLimit")
        if len(running) >= self.settings.running_limit:
            return None
        task = Task(
            task_id=uuid.uuid4().hex,
            task_type=task_type,
            task_name=task_name,
            param=dict(param),
            source=source,
            start_time=self.now_ms(),
            began=self._clock.monotonic(),
            seconds=self.settings.seconds,
            outcome=self.settings.outcome,
            total=self.settings.total_count,
        )
        self._tasks[task.task_id] = task
        self.started.append(task.task_id)
        return task

    def cancel(self, task_id: str) -> None:
        """End a running task; another one, or none, is left as it is."""
        task = self._tasks.get(task_id)
        if task and self._runs(task):
            self.finish(task_id, self.settings.cancelled_status)
            self.cancelled.append(task_id)

    def finish(self, task_id: str, outcome: str) -> None:
        """End a task now, or change the word with which it has ended.

        :raises ValueError: if there is no such task.
        """
        task = self._tasks.get(task_id)
        if task is None:
            raise ValueError(f"there is no task {task_id!r}")
        task.outcome = outcome
        if self._runs(task):
            task.ended = self._clock.monotonic()

    def scan_viruses(self, params: Mapping[str, str]) -> None:
        """Take down a virus scan; one with a token that was seen, or that is only a check, is not one."""
        token = params.get("ClientToken", "")
        if params.get("DryRun", "").lower() == "true" or token in self._client_tokens:
            return
        if token:
            self._client_tokens.add(token)
        self.virus_scans.append(dict(params))

    def running(self) -> list[Task]:
        """The tasks that run now, oldest first."""
        return [task for task in self._tasks.values() if self._runs(task)]

    def find(self, task_id: str) -> Snapshot | None:
        """Look a task up by its id."""
        task = self._tasks.get(task_id)
        return None if task is None else self.look(task)

    def newest(
        self, *, task_type: str | None = None, task_name: str | None = None, source: str | None = None
    ) -> Iterator[Snapshot]:
        """Go through the tasks from the newest to the oldest.

        :param task_type: only tasks of this type, as the other parameters say of theirs.
        """
        wanted = {"task_type": task_type, "task_name": task_name, "source": source}
        for task in reversed(self._tasks.values()):
            if all(value is None or getattr(task, name) == value for name, value in wanted.items()):
                yield self.look(task)

    def look(self, task: Task) -> Snapshot:
        """Take a task's picture."""
        now = self._clock.monotonic()
        running, share = self._runs(task), task.share(now)
        begun = share >= INIT_SHARE
        status = task.outcome
        if running:
            status = self.settings.running_status or ("START" if begun else "INIT")
        # Only a success has finished every item.
        whole = not running and status == "SUCCESS"
        done = task.total if whole else min(int(task.total * share * begun), max(0, task.total - 1))
        return Snapshot(
            task_id=task.task_id,
            task_type=task.task_type,
            task_name=task.task_name,
            param=task.param,
            source=task.source,
            status=status,
            running=running,
            finish_count=done,
            total_count=task.total,
            percent=100 * done // task.total if task.total else 100 * whole,
            start_time=task.start_time,
            end_time=None if running else task.start_time + round((task.end - task.began) * 1000),
            age=now - task.began,
        )

    def _runs(self, task: Task) -> bool:
        return self._clock.monotonic() < task.end

    def _collected_lately(self) -> bool:
        last = next(self.newest(task_type="ASSETS_COLLECTION"), None)
        return last is not None and last.age < self.settings.collection_period
