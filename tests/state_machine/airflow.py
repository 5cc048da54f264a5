"""One task of a run as Airflow 3.3.2 treats it. What a user does and what dies are methods; what follows happens in the
world's time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_provider_aegis.compat import AirflowFailException, AirflowTaskTimeout, TaskDeferred
from tests.state_machine.instance import PATIENCE, Clear, Deferral, Ending, Instance, Process
from tests.state_machine.triggerer import RunningTrigger, Triggerer
from tests.state_machine.worker import Worker
from tests.state_machine.world import World

QUEUED = 1.0  # seconds until what may begin does
RETRY_DELAY = 30.0
SIGKILL_AFTER = 5.0
HEARTBEAT_TIMEOUT = 300.0  # after which the scheduler takes a process for dead
NOT_OVER = ("scheduled", "running", "restarting", "deferred", "up_for_retry")


class Airflow(Instance):
    """Airflow, as far as one task sees it.

    :param make: makes the operator of a version of the DAG, anew in each process.
    :param heartbeat: seconds after which a supervisor learns that its task is not to run any more.
    :ivar clears: what a user cleared of the task, and when.
    :ivar user_actions: when a user ended or cleared it.
    :ivar ended_by_user: when a user ended it, ``None`` if not since it was last cleared.
    """

    def __init__(self, world: World, make: Callable[[int], Any], *, retries: int = 2, heartbeat: float = 5.0) -> None:
        super().__init__(world, retries)
        self.make, self.retries, self.heartbeat = make, retries, heartbeat
        self.version = 0
        self.began = 0.0
        self.processes: list[Process] = []
        self.triggers: list[RunningTrigger] = []
        self.deferral: Deferral | None = None
        self.triggerer: Triggerer | None = Triggerer(world)
        self.clears: list[Clear] = []
        self.user_actions: list[float] = []
        self.ended_by_user: float | None = None
        self.endings: list[Ending] = []

    # --- what users do

    def start(self) -> None:
        """Let the task begin."""
        self._queue(QUEUED)

    def mark(self, state: str) -> None:
        """Mark the task as failed or as succeeded, if it is not over."""
        if self.state not in NOT_OVER or not self.answers:
            return
        self.world.note(f"a user marks the task {state} (it is {self.state})")
        self.ended_by_user = self.world.now
        self.user_actions.append(self.world.now)
        self.state = state
        self.endings.append(Ending(state, self.world.now))
        self._tell_what_runs()

    def clear(self) -> None:
        """Clear the task, unless that is on its way."""
        if self.state in ("none", "restarting") or not self.answers:
            return
        self.world.note(f"a user clears the task (it is {self.state})")
        self.user_actions.append(self.world.now)
        self.clears.append(Clear(self.world.now, marked=self.state != "running"))
        self.ended_by_user = None
        self.clear_number += 1
        self.ti_id += 1
        if self.state == "running":
            self.state = "restarting"
            if not self._living():
                self.world.after(HEARTBEAT_TIMEOUT, self._restart)
        else:
            self.max_tries = self.try_number + self.retries
            self._queue(QUEUED)
        self._tell_what_runs()

    def clear_another(self) -> None:
        """Clear another task of the run."""
        self.world.note("a user clears another task of the run")
        self.clear_number += 1

    def change_arguments(self) -> None:
        """Change the task's arguments: from the next try on they are others."""
        self.world.note("a user changes the arguments")
        self.version += 1

    # --- what goes wrong

    def kill(self, *, with_supervisor: bool = False) -> None:
        """Kill -9 the processes that run the task now."""
        for process in self._living():
            self.world.note(f"{process.worker.name} is killed" + (" with its supervisor" if with_supervisor else ""))
            process.supervised = not with_supervisor
            process.worker.kill()

    def evict(self) -> None:
        """Let a pod be evicted: SIGTERM for a task that is to run on."""
        for process in self._living():
            self.world.note(f"{process.worker.name} is evicted")
            process.supervised = False
            self._terminate(process)

    def reset(self) -> None:
        """Let a new scheduler find the running task nobody's: it is scheduled anew, and the old process lives on."""
        if self.state != "running":
            return
        self.world.note("the scheduler resets the task")
        self.ti_id += 1
        self._queue(QUEUED)
        self._tell_what_runs()

    def go_away(self, seconds: float) -> None:
        """Let the api-server be away; a supervisor that misses three heartbeats ends its process."""
        self.world.note(f"the api-server is away for {seconds:g} s")
        self.away_until = self.world.now + seconds
        if seconds > PATIENCE:
            for process in self._living():
                self.world.after(PATIENCE, partial(self._terminate, process))

    def restart_triggerer(self, seconds: float, *, gracefully: bool) -> None:
        """Let the triggerer die, and another one come after so many seconds."""
        if self.triggerer is None:
            return
        self.world.note(f"the triggerer {'stops' if gracefully else 'is killed'} and comes back after {seconds:g} s")
        old, self.triggerer = self.triggerer, None
        (old.shut_down if gracefully else old.kill)()
        if self.deferral:
            self.deferral.running = None
        self.world.after(seconds, self._begin_triggerer)

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            process.told = True
            process.worker.kill()
        if self.triggerer:
            self.triggerer.kill()

    # --- how a try goes

    def _queue(self, seconds: float) -> None:
        self.state = "scheduled"
        self.world.after(seconds, partial(self._begin, self.ti_id))

    def _begin(self, ti_id: int, method: str = "", event: Any = None) -> None:
        if ti_id != self.ti_id or self.state not in ("scheduled", "up_for_retry"):
            return
        if not self.answers:
            self.world.after(self.away_until - self.world.now, partial(self._begin, ti_id, method, event))
            return
        self.state = "running"
        if not method:
            self.try_number += 1
            self.began = self.world.now
            self.xcoms = {}
        process = Process(ti_id, self.began, self.version, len(self.clears), self.world.now)
        process.worker = Worker(
            self.world,
            f"try {self.try_number}" + (f" ({method})" if method else ""),
            code=lambda: self._run(process, method, event),
            on_term=lambda: process.operator.on_kill() if process.operator else None,
            on_exit=lambda: self._exited(process),
        )
        self.processes.append(process)
        self.world.note(f"{process.worker.name} begins")
        process.worker.launch()

    def _run(self, process: Process, method: str, event: Any) -> None:
        """What a process does."""
        process.operator = self.make(process.version)
        context = self.context(process)
        try:
            result = self._execute(process, method, event, context)
        except TaskDeferred as deferred:
            end = partial(self._defer, process, deferred)
        except (Exception, AirflowTaskTimeout) as error:  # noqa: BLE001  (as Airflow does)
            end = partial(self._fail, process, error)
        else:
            end = partial(self._succeed, process, result)
        try:
            self.ask(process, end)
        except AirflowRuntimeError:  # nobody takes note of how it ended
            process.supervised = False

    def _execute(self, process: Process, method: str, event: Any, context: Any) -> Any:
        operator = process.operator
        alarm = None
        if operator.execution_timeout:
            seconds = operator.execution_timeout.total_seconds()
            alarm = self.world.after(seconds, partial(process.worker.interrupt, AirflowTaskTimeout()))
        try:
            if method:
                return operator.resume_execution(method, {"event": event}, context)
            return operator.execute(context)
        except AirflowTaskTimeout:
            operator.on_kill()
            raise
        finally:
            if alarm:
                alarm.cancelled = True

    def _defer(self, process: Process, deferred: TaskDeferred) -> None:
        if self._concludes(process):
            path, arguments = deferred.trigger.serialize()
            self.state = "deferred"
            self.deferral = Deferral(process.ti_id, path, json.dumps(arguments), deferred.method_name)
            self.world.note(f"{process.worker.name} defers")
            self.world.after(QUEUED, self._begin_trigger)

    def _succeed(self, process: Process, result: Any) -> None:
        if self._concludes(process):
            self.world.note(f"{process.worker.name} succeeds")
            self.state = "success"
            self.endings.append(Ending("success", self.world.now, result, None, dict(self.xcoms), process.began))

    def _fail(self, process: Process, error: BaseException) -> None:
        self.world.note(f"{process.worker.name} raises {type(error).__name__}: {error}")
        if self._concludes(process):
            self._retry(process, error, final=isinstance(error, AirflowFailException))

    def _retry(self, process: Process, error: BaseException | None, *, final: bool = False) -> None:
        again = not final and self.try_number <= self.max_tries
        self.state = "up_for_retry" if again else "failed"
        self.endings.append(Ending(self.state, self.world.now, None, error, dict(self.xcoms), process.began))
        if again:
            self._try_again()

    def _try_again(self) -> None:
        self.ti_id += 1
        self.world.after(RETRY_DELAY, partial(self._begin, self.ti_id))

    def _concludes(self, process: Process) -> bool:
        """Whether what a process says of its end counts: it does not for an instance that is gone or was ended."""
        process.told = True
        return process.ti_id == self.ti_id and self.state == "running"

    def _exited(self, process: Process) -> None:
        if self.state == "restarting":
            self._restart()
        elif process.ti_id == self.ti_id and self.state == "running" and not process.told:
            delay = 0.0 if process.supervised else HEARTBEAT_TIMEOUT
            self.world.after(delay, partial(self._found_dead, process))

    def _restart(self) -> None:
        if self.state == "restarting" and not self._living():
            self.state = "up_for_retry"
            self._try_again()

    def _found_dead(self, process: Process) -> None:
        if self._concludes(process):
            self.world.note(f"{process.worker.name} is found dead")
            self._retry(process, None)

    def _living(self) -> list[Process]:
        return [process for process in self.processes if process.worker.alive]

    def _tell_what_runs(self) -> None:
        """A user's action reaches a process with its next heartbeat, and the trigger within a second."""
        for process in self._living():
            self.world.after(self.heartbeat, partial(self._heartbeat, process))
        if self.deferral:
            running, self.deferral = self.deferral.running, None
            if running and self.triggerer:
                self.world.after(1.0, partial(self.triggerer.cancel, running))

    def _heartbeat(self, process: Process) -> None:
        if process.ti_id != self.ti_id or self.state != "running":
            self._terminate(process)

    def _terminate(self, process: Process) -> None:
        if process.worker.alive:
            self.world.note(f"{process.worker.name} gets SIGTERM")
            self.world.after(SIGKILL_AFTER, process.worker.kill)
            process.worker.terminate()

    # --- triggers

    def _begin_triggerer(self) -> None:
        self.triggerer = Triggerer(self.world)
        self._begin_trigger()

    def _begin_trigger(self) -> None:
        row = self.deferral
        if row is None or row.running or self.triggerer is None:
            return
        module, _, name = row.path.rpartition(".")
        trigger = getattr(import_module(module), name)(**json.loads(row.arguments))
        row.running = self.triggerer.run(f"trigger of try {self.try_number}", trigger, partial(self._fire, row))
        self.triggers.append(row.running)

    def _fire(self, row: Deferral, payload: Any) -> None:
        if self.deferral is not row or self.state != "deferred":
            return
        self.deferral = None
        self.state = "scheduled"
        event = json.loads(json.dumps(payload))
        self.world.note(f"the trigger fires {event.get('outcome')}")
        self.world.after(QUEUED, partial(self._begin, row.ti_id, row.method, event))
