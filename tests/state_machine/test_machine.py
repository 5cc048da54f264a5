"""Tries, kills, faults and clears in any order: whatever happens, the promises of the oracle hold."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.state_machine.airflow import NOT_OVER
from tests.state_machine.disturbances import EVERYTHING, NAMES, POINTS
from tests.state_machine.stage import Stage


class Machine(RuleBasedStateMachine):
    """One task, and everything that can happen to it."""

    stage: Stage | None = None

    @initialize(
        deferrable=st.booleans(),
        on_conflict=st.sampled_from(["wait", "adopt"]),
        repeat_check=st.sampled_from(["off", "name"]),
        task_type=st.sampled_from(["VUL_CHECK_TASK", "IMAGE_SCAN"]),
        result_task_id=st.sampled_from(["hex", "zero"]),
        source_filter=st.sampled_from(["honoured", "honoured", "ignored", "refused"]),
        source=st.sampled_from([None, None, "Manual"]),
        cancelled_status=st.sampled_from(["FAIL", "PROCESSING"]),
        seconds=st.sampled_from([1000.0, 100.0]),
        timeout=st.sampled_from([3600.0, 600.0]),
        execution_timeout=st.sampled_from([None, None, 400.0]),
        heartbeat=st.sampled_from([0.01, 5.0, 30.0]),
        before=st.sampled_from(["nothing", "nothing", "one runs", "one was over", "one was over, and many run"]),
    )
    def begin(self, before: str, **how: Any) -> None:
        self.stage = Stage(**how)
        if "one" in before:
            self.stage.colleague_starts()
        if "over" in before:
            self.stage.run(700)
            self.stage.end_scans(own=False)
        if "many" in before:
            self.stage.fill_account()
        self.stage.airflow.start()

    @property
    def it(self) -> Stage:
        assert self.stage
        return self.stage

    @rule(point=st.sampled_from(POINTS), what=st.sampled_from(NAMES))
    def happen(self, point: str, what: str) -> None:
        """Let time pass up to a point, which may not come, and there let something happen."""
        if self.it.airflow.state not in NOT_OVER:
            self.it.airflow.clear()
        if point != "now":
            self.it.run_until(point, 50)
        EVERYTHING[what](self.it)

    def teardown(self) -> None:
        if self.stage:
            try:
                if sys.exc_info()[0] is None:
                    self.stage.settle()
                    self.stage.recover()
            finally:
                self.stage.close()


def check(examples: int, steps: int, *, derandomize: bool) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=derandomize,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            database=None,
        ),
    )


def test_the_promises_hold_whatever_happens() -> None:
    check(500, 8, derandomize=True)


@pytest.mark.soak
def test_the_promises_hold_for_long() -> None:
    check(20_000, 15, derandomize=False)
