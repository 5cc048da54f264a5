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

_INTRODUCTION = f"""
This demo runs example_dags/{_DAG}.py in a real Airflow, against an emulator of Alibaba Cloud Security
Center. Everything runs on this machine: no account is needed, and nothing is left running.
"""
_NEXT = """
What to do next:
  make ui                              the same Airflow in your browser, with all examples
  example_dags/aegis_scan.py           the DAG to copy: one deferrable task that starts a scan and waits for its end
  docs/quickstart.md                   install the provider, connect it to your account, run your first scan
"""


def main() -> int:
    """Run the pipeline once and return the exit status: 0 if the run succeeded."""
    print(_INTRODUCTION, flush=True)
    _say("starting the emulator and Airflow; this takes 15 to 45 seconds")
    try:
        with (
            Emulator(seconds=_SCAN_SECONDS) as emulator,
            AirflowStack(EXAMPLES, env={CONNECTION: emulator.connection_json()}) as stack,
        ):
            _say(f"Airflow runs at {stack.url}; triggering the DAG {_DAG}")
            run_id = stack.trigger(_DAG)
            state = _follow(stack, run_id)
            _say(f"the run ended: {state}")
            if state != "success":
                _print_failed_logs(stack, run_id)
                return 1
            _report(stack, run_id, emulator)
            _say("stopping the emulator and Airflow")
    except (StackError, TimeoutError) as error:
        _say(str(error))
        return 1
    _say("stopped")
    print(_NEXT)
    return 0


def _follow(stack: AirflowStack, run_id: str) -> str:
    """Print each change of a task's state until the run has ended, and return the run's state."""
    deadline = time.monotonic() + _RUN_TIMEOUT
    seen: dict[str, str | None] = {}
    while True:
        state = stack.run_state(_DAG, run_id)  # before the tasks' states, so that their last changes are still seen
        states = stack.task_states(_DAG, run_id)
        for task, now in states.items():
            if now != seen.get(task):
                _say(f"  {task}: {now or 'waiting'}")
        seen = states
        if state in RUN_ENDED:
            return state
        if time.monotonic() > deadline:
            raise TimeoutError(f"the run has not ended after {_RUN_TIMEOUT} s: {states}")
        time.sleep(0.2)


def _report(stack: AirflowStack, run_id: str, emulator: Emulator) -> None:
    """Print what was scanned and what came of it."""
    (scan,) = emulator.state["tasks"]
    items = scan["param"]["items"]
    print(f"\nWhat was scanned: {scan['task_type']}, an inventory of all servers ({items})")
    print(f"Payload that the task {_RESULT!r} returned:")
    print(json.dumps(stack.xcom(_DAG, run_id, _RESULT), indent=2, ensure_ascii=False))
    print(f"What the task {_DOWNSTREAM!r} made of it: {stack.xcom(_DAG, run_id, _DOWNSTREAM)}")
    calls = ", ".join(f"{action} {count}" for action, count in sorted(emulator.requests.items()))
    print(f"Requests to Security Center: {calls}\n")


def _print_failed_logs(stack: AirflowStack, run_id: str) -> None:
    for task, state in stack.task_states(_DAG, run_id).items():
        if state == "failed":
            print(f"Log of {task}:\n{stack.log(_DAG, run_id, task)}")


_BEGUN = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGUN:5.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
