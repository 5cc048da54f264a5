"""Whatever can happen to a task, by name. Adding something is a line here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_provider_aegis.emulator.faults import Fault
from tests.state_machine.oracle import CANCEL, READ, START
from tests.state_machine.stage import Stage

LAST = "GetLastOnceTaskInfo"
# Where it happens: before a request arrives, while its answer is on its way, or right after it.
POINTS = [
    *(f"{action} {where}" for action in (START, READ, LAST) for where in ("sent", "carried out", "answered")),
    "a question to Airflow",
    "running",
    "deferred",
    "up_for_retry",
    "now",
]
DOWN = Fault.error("ServiceUnavailable", status=503)
Happening = Callable[[Stage], object]


def _meet(action: str, fault: Fault, *, times: int | None = None, seconds: float | None = None) -> Happening:
    return lambda stage: stage.inject(action, fault, times=times, seconds=seconds)


def _throttle_and_lose(stage: Stage) -> None:
    stage.inject(START, Fault.throttled(), seconds=650)
    stage.inject(START, Fault.reset(after=True), times=1)


BY_USERS: dict[str, Happening] = {
    "clear": lambda stage: stage.airflow.clear(),
    "mark failed": lambda stage: stage.airflow.mark("failed"),
    "mark success": lambda stage: stage.airflow.mark("success"),
    "clear another task": lambda stage: stage.airflow.clear_another(),
    "change the arguments": lambda stage: stage.airflow.change_arguments(),
}
DEATHS: dict[str, Happening] = {
    "kill -9": lambda stage: stage.airflow.kill(),
    "kill -9, with the supervisor": lambda stage: stage.airflow.kill(with_supervisor=True),
    "evict": lambda stage: stage.airflow.evict(),
    "reset": lambda stage: stage.airflow.reset(),
    "api-server away for 30 s": lambda stage: stage.airflow.go_away(30),
    "api-server away for 5 s": lambda stage: stage.airflow.go_away(5),
    "triggerer killed": lambda stage: stage.airflow.restart_triggerer(5, gracefully=False),
    "triggerer stopped": lambda stage: stage.airflow.restart_triggerer(30, gracefully=True),
}
FAULTS: dict[str, Happening] = {
    "start lost": _meet(START, Fault.reset(after=True), times=1),
    "start answered with 500": _meet(START, Fault.error("ServerError", status=500, after=True), times=1),
    "start answered late": _meet(START, Fault.delayed(3, after=True), times=1),
    "start answered after 700 s": _meet(START, Fault.delayed(700, after=True), times=1),
    "start that never arrives": _meet(START, Fault.reset(), times=1),
    "start throttled for long and then lost": _throttle_and_lose,
    "slow reads": _meet(READ, Fault.delayed(8), times=3),
    "down for 30 s": _meet("*", DOWN, seconds=30),
    "down for 700 s": _meet("*", DOWN, seconds=700),
    "throttled for 30 s": _meet("*", Fault.throttled(retry_after=10), seconds=30),
    "cancels fail": _meet(CANCEL, DOWN, seconds=30),
    "no network for 5 s": lambda stage: stage.lose_network(5),
    "no network for 700 s": lambda stage: stage.lose_network(700),
    "all well": lambda stage: stage.world.account.heal(),
}
SCANS: dict[str, Happening] = {
    "a colleague's scan": lambda stage: stage.colleague_starts(),
    "as many scans as may run": lambda stage: stage.fill_account(),
    "others' scans over": lambda stage: stage.end_scans(own=False),
    "own scan succeeds": lambda stage: stage.end_scans(own=True),
    "own scan fails": lambda stage: stage.end_scans(own=True, outcome="FAIL"),
}
TIMES: dict[str, Happening] = {
    f"{seconds:g} s": partial(Stage.run, seconds=seconds) for seconds in (0.03, 1.0, 6.0, 40.0, 350.0, 1000.0)
}
EVERYTHING = {**BY_USERS, **DEATHS, **FAULTS, **SCANS, **TIMES}
# What is worth more than one chance.
NAMES = [*EVERYTHING, *BY_USERS, *DEATHS, "clear", "kill -9", "start lost", "a colleague's scan"]
