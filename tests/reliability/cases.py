"""What is done to a task: drawn from a seed, so that a round can be run again as it was."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .troubles import TROUBLES


class What(Enum):
    """Something that is done to one task."""

    KILL_TASK = "kill -9 the task"
    TERM_TASK = "SIGTERM to the task"
    KILL_SUPERVISOR = "kill -9 the supervisor"
    TERM_SUPERVISOR = "SIGTERM to the supervisor"
    KILL_BOTH = "kill -9 both"
    EVICT = "SIGTERM to both, then kill -9"
    MARK_FAILED = "mark failed"
    MARK_SUCCESS = "mark success"
    CLEAR = "clear"
    END_RUN = "end the run"
    CLEAR_OTHER = "clear another task"
    COLLEAGUE = "a colleague's scan"


#: The task goes on with another process after these.
DEADLY = (What.KILL_TASK, What.KILL_SUPERVISOR, What.KILL_BOTH, What.EVICT)
SIGNALS = (*DEADLY, What.TERM_TASK, What.TERM_SUPERVISOR)
#: By these a user ends the task, until it is cleared.
ENDS = (What.MARK_FAILED, What.MARK_SUCCESS, What.END_RUN)


class Moment(Enum):
    """When it is done: this has been seen, and then some time has passed."""

    PROCESS = "a process begins"
    REQUEST = "the start arrives"
    STARTED = "the scan runs"
    READ = "the scan is read"
    DEFERRED = "the task is deferred"
    AGAIN = "another process begins"
    BETWEEN = "the task waits for its next try"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is done to a task.

    :param delay: seconds after the moment.
    """

    what: What
    moment: Moment
    delay: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the service.

    :param name: a name in the table `troubles.TROUBLES`.
    :param moment: when it begins; before the task where not given.
    :param seconds: how long it goes on, or how slow an answer is.
    """

    name: str
    seconds: float
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One task and all that happens to it.

    :param name: of its scan.
    :param variant: a name in `VARIANTS`.
    :param outcome: the status with which its scans end.
    :param hold: seconds that a scan goes on after the last act.
    :param repeat_check: whether the service refuses a second running scan of the same name.
    :param source_filter: what the service does with `Source`.
    """

    name: str
    deferrable: bool = False
    variant: str = "plain"
    outcome: str = "SUCCESS"
    hold: float = 5.0
    repeat_check: str = "off"
    source_filter: str = "honoured"
    trouble: Trouble | None = None
    acts: tuple[Act, ...] = ()

    @property
    def dag_id(self) -> str:
        """The DAG with the arguments that no run can set."""
        return dag_id(self.variant, deferrable=self.deferrable)

    @property
    def arguments(self) -> dict[str, Any]:
        """The operator's arguments that matter here."""
        return VARIANTS[self.variant]


class Blow(Enum):
    """Something that hits every task of a round."""

    KILL_TRIGGERER = "kill -9 the triggerer"
    TERM_TRIGGERER = "SIGTERM to the triggerer"
    KILL_SCHEDULER = "kill -9 the scheduler"
    KILL_SCHEDULER_TREE = "kill -9 the scheduler and its workers"
    TERM_SCHEDULER = "SIGTERM to the scheduler"
    KILL_API_SERVER = "kill -9 the api-server"
    TERM_API_SERVER = "SIGTERM to the api-server"
    WARM_SHUTDOWN = "SIGTERM to the Celery worker"
    COLD_SHUTDOWN = "SIGQUIT to the Celery worker"


#: Those that there are without Celery.
BLOWS = tuple(blow for blow in Blow if "Celery" not in blow.value)


@dataclass(frozen=True, slots=True)
class Round:
    """Cases that run at the same time.

    :param blow: what hits all of them, so many seconds (`at`) after their start.
    :param gap: seconds until the component is started again.
    """

    number: int
    cases: tuple[Case, ...]
    blow: Blow | None = None
    at: float = 0.0
    gap: float = 0.0


#: Arguments of the operator; the kills of a task do not use three retries up.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"retries": 3, "cancel_on_kill": True, "timeout": 3600.0},
    "no retries": {"retries": 0, "cancel_on_kill": True, "timeout": 3600.0},
    "not cancelling": {"retries": 3, "cancel_on_kill": False, "timeout": 3600.0},
    "soon late": {"retries": 3, "cancel_on_kill": True, "timeout": 20.0},
}
# How long after each moment something is done at the latest: a start takes less than a poll.
_REACH = {
    Moment.PROCESS: 2.0,
    Moment.REQUEST: 1.0,
    Moment.STARTED: 1.5,
    Moment.READ: 6.0,
    Moment.DEFERRED: 8.0,
    Moment.AGAIN: 2.0,
    Moment.BETWEEN: 0.5,
}


def dag_id(variant: str, *, deferrable: bool) -> str:
    """Return the name of the DAG with these arguments."""
    return f"soak_{'deferrable' if deferrable else 'worker'}_{variant.replace(' ', '_')}"


def draw(seed: int, number: int, size: int) -> Round:
    """Return a round of a seed: always the same for the same numbers."""
    rng = random.Random(f"{seed}/{number}")
    blow = BLOWS[number // 2 % len(BLOWS)] if number % 2 else None
    cases = tuple(_case(rng, f"soak-{seed}-{number}-{lane}", struck=blow is not None) for lane in range(size))
    return Round(number, cases, blow, at=rng.uniform(2, 20), gap=rng.uniform(0.5, 15))


def _case(rng: random.Random, name: str, *, struck: bool) -> Case:
    deferrable = rng.random() < 0.5
    acts = _acts(rng, deferrable, number=rng.choice((0, 1, 1)) if struck else rng.choice((0, 1, 1, 1, 1, 2, 2, 2)))
    variant = rng.choices(list(VARIANTS), (78, 8, 7, 7))[0]
    return Case(
        name=name,
        deferrable=deferrable,
        variant=variant,
        outcome="FAIL" if rng.random() < 0.07 else "SUCCESS",
        hold=60 if variant == "soon late" else rng.uniform(0, 35 if acts else 15),
        repeat_check="name" if rng.random() < 0.25 else "off",
        source_filter=rng.choices(("honoured", "ignored", "refused"), (80, 10, 10))[0],
        trouble=_trouble(rng) if rng.random() < 0.6 else None,
        acts=acts,
    )


def _acts(rng: random.Random, deferrable: bool, number: int) -> tuple[Act, ...]:
    acts = []
    if rng.random() < 0.12:
        acts.append(_act(rng, [What.COLLEAGUE], [Moment.PROCESS, Moment.REQUEST, Moment.STARTED]))
    for left in reversed(range(number)):
        before = acts[-1].what if acts else None
        moments = [Moment.PROCESS, Moment.REQUEST, Moment.STARTED, Moment.READ]
        if before in DEADLY:
            moments = [Moment.AGAIN, Moment.AGAIN, Moment.BETWEEN]
        elif before is What.CLEAR:
            moments = [Moment.AGAIN]
        elif deferrable:
            moments += [Moment.DEFERRED, Moment.DEFERRED]
        # What a user has ended is not acted upon any more.
        whats = [what for what in What if what is not What.COLLEAGUE and not (left and what in ENDS)]
        acts.append(_act(rng, whats, moments))
    return tuple(acts)


def _act(rng: random.Random, whats: Sequence[What], moments: Sequence[Moment]) -> Act:
    moment = rng.choice(moments)
    if moment in (Moment.DEFERRED, Moment.BETWEEN):  # there is no process to kill
        whats = [what for what in whats if what not in SIGNALS]
    # Soon after the moment more often than late: there things cross.
    return Act(rng.choice(whats), moment, _REACH[moment] * rng.random() ** 2)


def _trouble(rng: random.Random) -> Trouble:
    name = rng.choice(list(TROUBLES))
    moment = None if "start" in name else rng.choice((None, Moment.REQUEST, Moment.READ))
    return Trouble(name, rng.uniform(2, 15), moment)
