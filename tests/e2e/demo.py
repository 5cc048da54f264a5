"""`make demo`: the example pipeline in a real Airflow, from a scan's start to what a downstream task makes of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from airflow_provider_aegis.emulator import Emulator

from .api import RUN_ENDED
from .settings import CONNECTION
from .stack import AirflowStack, StackError

EXAMPLES = Path(__file__).parents[2] / "example_dags"

_DAG = "aegis_scan_pipeline"
_RESULT = "result"
_DOWNSTREAM = "report"
_SCAN_SECONDS = 5
_RUN_TIMEOUT = 40


def main() -> int:
    """Run the pipeline once and return the exit status: 0 if the run went green."""
    _say("starting an emulator of Security Center, and Airflow")
    try:
        with (
            Emulator(seconds=_SCAN_SECONDS) as emulator,
            AirflowStack(EXAMPLES, env={CONNECTION: emulator.connection_json()}) as stack,
        ):
            _say(f"Airflow is up at {stack.url}")
            run_id = stack.trigger(_DAG)
            _say(f"run {run_id} of {_DAG}")
            state = _follow(stack, run_id)
            _say(f"the run ended: {state}")
            if state != "success":
                _print_failed_logs(stack, run_id)
                return 1
            print(f"What {_DOWNSTREAM!r} pulled from {_RESULT!r}:")
            print(json.dumps(stack.xcom(_DAG, run_id, _RESULT), indent=2, ensure_ascii=False))
            print(f"What it made of it: {stack.xcom(_DAG, run_id, _DOWNSTREAM)}")
            print(f"What the emulator was asked: {dict(emulator.requests)}")
            _say("stopping everything")
    except (StackError, TimeoutError) as error:
        _say(str(error))
        return 1
    _say("stopped")
    return 0


def _follow(stack: AirflowStack, run_id: str) -> str:
    """Print each change of a task's state until the run has ended, and return the run's state."""
    deadline = time.monotonic() + _RUN_TIMEOUT
    seen: dict[str, str | None] = {}
    while True:
        state = stack.run_state(_DAG, run_id)  # asked first, so that the last changes are still seen
        states = stack.task_states(_DAG, run_id)
        for task, now in states.items():
            if now != seen.get(task):
                _say(f"  {task}: {now}")
        seen = states
        if state in RUN_ENDED:
            return state
        if time.monotonic() > deadline:
            raise TimeoutError(f"the run has not ended after {_RUN_TIMEOUT} s: {states}")
        time.sleep(0.2)


def _print_failed_logs(stack: AirflowStack, run_id: str) -> None:
    for task, state in stack.task_states(_DAG, run_id).items():
        if state == "failed":
            print(f"Log of {task}:\n{stack.log(_DAG, run_id, task)}")


_BEGUN = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGUN:5.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
