"""Runs an operator or a sensor as Airflow does, in each of its modes, with what a context holds and no database."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_aegis.compat import TaskDeferred

AIRFLOW_2 = find_spec("airflow.sdk") is None
MODES = ("poke", "reschedule", "deferrable")

Make = Callable[[], Any]


# A process asks Airflow one thing at a time, and its lock is not reentrant.
channel = threading.Lock()


class FakeStore(dict[str, Any]):
    """Airflow's task state store: it outlives a try."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Store a value, which has to be JSON and not ``None``."""
        assert value is not None
        with channel:
            self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        """Forget a value."""
        with channel:
            self.pop(key, None)


class FakeTask:
    """One task of a run, across its tries.

    :ivar store: the task state store; ``None`` as below Airflow 3.3.
    :ivar xcoms: what was pushed since the last try began.
    :ivar state: how Airflow says that the task instance stands; ``None`` for a deleted one.
    :ivar pushed: the key of every push, in their order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store: FakeStore | None = FakeStore()
        self.xcoms: dict[str, Any] = {}
        self.pushed: list[str] = []
        self.max_tries = 2
        self.clear_number = 0
        self.state: str | None = "running"
        self.first_reschedule: datetime | None = None
        self.events: list[dict[str, Any]] = []
        self.reschedules = 0
        for module in ("airflow.sdk.bases.operator", "airflow.models.baseoperator"):
            try:
                safeguard = import_module(module).ExecutorSafeguard
            except (ImportError, AttributeError):
                continue
            monkeypatch.setattr(safeguard, "test_mode", True)
        if AIRFLOW_2:
            monkeypatch.setattr("airflow.sensors.base._orig_start_date", lambda **_: self.first_reschedule)

    @property
    def context(self) -> Any:
        """What a try gets from Airflow."""
        ti = SimpleNamespace(
            dag_id="dag",
            task_id="task",
            run_id="run",
            map_index=-1,
            max_tries=self.max_tries,
            get_task_states=self._states,
            xcom_push=self._push,
        )
        if not AIRFLOW_2:
            ti.get_first_reschedule_date = lambda context: self.first_reschedule
        store = {"task_state_store": self.store} if self.store is not None else {}
        return {"ti": ti, "dag_run": SimpleNamespace(clear_number=self.clear_number), **store}

    def _states(
        self, *, dag_id: str, task_ids: list[str], run_ids: list[str], map_index: int
    ) -> dict[str, dict[str, str]]:
        assert (dag_id, task_ids, run_ids, map_index) == ("dag", ["task"], ["run"], -1)
        with channel:
            return {} if self.state is None else {"run": {"task": self.state}}

    def _push(self, key: str, value: Any) -> None:
        self.pushed.append(key)
        self.xcoms[key] = json.loads(json.dumps(value))

    def run(self, make: Make) -> Any:
        """Carry one try through, deferrals and reschedules included, each step with an operator made anew.

        :param make: makes the operator.
        :return: what it returns.
        """
        self.xcoms.clear()
        while True:
            try:
                return make().execute(self.context)
            except TaskDeferred as deferred:
                return self._resume(make, deferred)
            except BaseException as error:
                if type(error).__name__ != "AirflowRescheduleException":
                    raise
                self.reschedules += 1
                self.first_reschedule = self.first_reschedule or datetime.now(UTC)
                self.xcoms.clear()

    def _resume(self, make: Make, deferred: TaskDeferred) -> Any:
        while True:
            event = self.fire(deferred.trigger)
            try:
                return make().resume_execution(deferred.method_name, {"event": event}, self.context)
            except TaskDeferred as again:
                deferred = again

    def fire(self, trigger: BaseTrigger) -> dict[str, Any]:
        """Run a trigger, as the triggerer would from what is stored of it, and return its event."""
        path, arguments = trigger.serialize()
        module, _, name = path.rpartition(".")
        again = getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))
        events = asyncio.run(_events(again))
        assert len(events) == 1, "a trigger fires once"
        event: dict[str, Any] = json.loads(json.dumps(events[0]))
        self.events.append(event)
        return event


async def _events(trigger: BaseTrigger) -> list[Any]:
    return [event.payload async for event in trigger.run()]
