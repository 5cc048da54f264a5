"""What Airflow keeps of a task instance, and what a process of it may ask and store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from tests.state_machine.triggerer import RunningTrigger
from tests.state_machine.worker import Worker
from tests.state_machine.world import Pending, World

T = TypeVar("T")

# A supervisor asks the api-server for so many seconds.
PATIENCE = 25.0
# A question to the supervisor, or its answer.
ON_THE_WAY = 0.01


@dataclass(eq=False)
class Process:
    """A process of the task, and what it knows of the instance that it was made for.

    :param began: when its try did.
    :param version: of the arguments that it was given.
    :param clears: how often the task had been cleared before.
    :param created: when the process was made.
    :param told: whether the supervisor has said how it ended.
    :param supervised: whether its supervisor lives.
    """

    ti_id: int
    began: float
    version: int
    clears: int
    created: float
    operator: Any = None
    told: bool = False
    supervised: bool = True
    worker: Worker = field(init=False)


@dataclass
class Deferral:
    """A row in the table of triggers, and what waits for its event."""

    ti_id: int
    path: str
    arguments: str
    method: str
    running: RunningTrigger | None = None


@dataclass
class Ending:
    """How a try ended, by itself or by a user.

    :param began: when the try did.
    """

    state: str
    at: float
    result: Any = None
    error: BaseException | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    began: float = 0.0


@dataclass(frozen=True)
class Clear:
    """A user cleared the task.

    :param marked: whether the task itself shows it: a clear of a running task leaves a mark on its run alone.
    """

    at: float
    marked: bool


class Instance:
    """A task instance in Airflow's database.

    :ivar ti_id: replaced by a clear, a retry and a reset; what a process of another one writes is refused.
    :ivar states: how it has stood, the last is now.
    :ivar store: the task state store, which outlives tries and clears.
    :ivar away_until: before that there is no api-server.
    :ivar seen: points that :meth:`tests.state_machine.stage.Stage.run_until` waits for.
    """

    def __init__(self, world: World, retries: int) -> None:
        self.world = world
        self.ti_id, self.try_number, self.max_tries, self.clear_number = 1, 0, retries, 0
        self.states = ["none"]
        self.store: dict[str, str] = {}
        self.xcoms: dict[str, Any] = {}
        self.away_until = 0.0
        self.seen: set[str] = set()

    @property
    def state(self) -> str:
        """How the task instance stands."""
        return self.states[-1]

    @state.setter
    def state(self, state: str) -> None:
        self.states.append(state)

    @property
    def answers(self) -> bool:
        """Whether there is an api-server."""
        return self.world.now >= self.away_until

    def ask(self, process: Process, question: Callable[[], T]) -> T:
        """Ask the api-server by way of the supervisor, from the process's own code.

        :raises AirflowRuntimeError: if it refuses, or is away for too long.
        """
        self.seen.add("a question to Airflow")
        return process.worker.ask(lambda: self._answer(process.worker, question))

    def _answer(self, worker: Worker, question: Callable[[], T]) -> Pending[T]:
        pending: Pending[T] = Pending()
        gives_up = self.world.now + PATIENCE

        def answer() -> None:
            if not worker.alive:
                return
            if self.answers:
                try:
                    value = question()
                except AirflowRuntimeError as error:
                    self.world.after(ON_THE_WAY, partial(pending.resolve, error=error))
                else:
                    self.world.after(ON_THE_WAY, partial(pending.resolve, value))
            elif self.world.now < gives_up:
                self.world.after(min(self.away_until, gives_up) - self.world.now, answer)
            else:
                pending.resolve(error=_refused(503))

        self.world.after(ON_THE_WAY, answer)
        return pending

    def context(self, process: Process) -> Any:
        """Return what a process gets as its context."""

        def check() -> None:
            if process.ti_id != self.ti_id:
                raise _refused(404)

        def push(key: str, value: Any) -> None:
            check()
            self.xcoms[key] = json.loads(json.dumps(value))

        def states(
            dag_id: str, task_ids: list[str], run_ids: list[str], map_index: int
        ) -> dict[str, dict[str, str | None]]:
            assert (dag_id, task_ids, run_ids, map_index) == ("dag", ["scan"], ["run"], -1)
            return {"run": {"scan": self.state}}

        ti = SimpleNamespace(
            id=process.ti_id,
            dag_id="dag",
            task_id="scan",
            run_id="run",
            map_index=-1,
            try_number=self.try_number,
            max_tries=self.max_tries,
            xcom_push=lambda key, value: self.ask(process, partial(push, key, value)),
            get_task_states=lambda **wanted: self.ask(process, partial(states, **wanted)),
        )
        return {
            "ti": ti,
            "task_instance": ti,
            "dag_run": SimpleNamespace(run_id="run", clear_number=self.clear_number),
            "run_id": "run",
            "task_state_store": TaskStateStore(partial(self.ask, process), check, self.store),
        }


class TaskStateStore:
    """Airflow's task state store as a task sees it.

    :param ask: asks Airflow.
    :param check: refuses a process whose instance was replaced.
    :param rows: what is stored, as JSON.
    """

    def __init__(
        self, ask: Callable[[Callable[[], Any]], Any], check: Callable[[], None], rows: dict[str, str]
    ) -> None:
        self._ask, self._check, self._rows = ask, check, rows

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value; a process whose instance was replaced finds none."""

        def read() -> Any:
            try:
                self._check()
            except AirflowRuntimeError:
                return default
            return json.loads(self._rows[key]) if key in self._rows else default

        return self._ask(read)

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Store a value, which has to be JSON and not ``None``."""
        assert value is not None
        text = json.dumps(value)

        def write() -> None:
            self._check()
            self._rows[key] = text

        self._ask(write)

    def delete(self, key: str) -> None:
        """Forget a value."""

        def forget() -> None:
            self._check()
            self._rows.pop(key, None)

        self._ask(forget)


def _refused(status: int) -> AirflowRuntimeError:
    """What the SDK raises when the api-server refuses."""
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status}))
