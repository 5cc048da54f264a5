"""What the machine found in rare orders of kills, faults and clears: each a story of its own."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.emulator.faults import Fault
from tests.state_machine.disturbances import DOWN
from tests.state_machine.oracle import CANCEL, READ, START
from tests.state_machine.stage import Stage

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])


@both_modes
@pytest.mark.parametrize("how", ["evict", "mark"])
def test_told_to_stop_before_it_has_begun_it_starts_nothing(deferrable: bool, how: str) -> None:
    with Stage(deferrable=deferrable, heartbeat=0.01) as stage:
        stage.airflow.start()
        stage.run_until("a question to Airflow")
        if how == "evict":
            stage.airflow.evict()
        else:
            stage.airflow.mark("failed")
        stage.run(15)
        assert stage.world.scans == []


@both_modes
@pytest.mark.parametrize("how", ["down", "throttled", "no network"])
def test_no_scan_is_started_before_the_old_one_is_cancelled(deferrable: bool, how: str) -> None:
    with Stage(deferrable=deferrable, repeat_check="off") as stage:
        stage.airflow.start()
        stage.run_until(f"{READ} sent")
        stage.airflow.kill()
        stage.run_until("up_for_retry")
        match how:
            case "down":
                stage.inject("*", DOWN, seconds=60)
            case "throttled":
                stage.inject("*", Fault.throttled(retry_after=10), seconds=60)
            case _:
                stage.lose_network(60)
        stage.airflow.clear()
        stage.run(300)
        assert len(stage.world.scans) == 2
        assert not stage.world.runs(stage.world.scans[0])


def test_ended_while_the_scan_of_an_earlier_try_is_being_cancelled() -> None:
    with Stage(heartbeat=0.01) as stage:
        stage.airflow.start()
        stage.run_until(f"{READ} sent")
        stage.airflow.kill()
        stage.run_until("up_for_retry")
        stage.airflow.clear()
        stage.inject(READ, Fault.delayed(8), times=1)
        stage.run_until(f"{READ} sent")
        stage.airflow.mark("failed")
        stage.run(20)
        assert not stage.world.runs(stage.world.scans[0])


def test_a_cancel_does_not_wait_for_what_throttles_reads() -> None:
    with Stage(heartbeat=0.01) as stage:
        stage.airflow.start()
        stage.run_until(f"{READ} answered")
        stage.inject(READ, Fault.throttled(retry_after=20), seconds=100)
        stage.run_until(f"{READ} answered")
        stage.run(1)
        stage.airflow.mark("failed")
        stage.run(10)
        assert not stage.world.runs(stage.world.scans[0])
        assert stage.world.account.state()["requests"][CANCEL] == 1


@both_modes
def test_a_process_whose_task_was_reset_makes_its_start_no_more(deferrable: bool) -> None:
    with Stage(deferrable=deferrable, repeat_check="off", heartbeat=30.0) as stage:
        stage.inject(START, Fault.throttled(), seconds=30)
        stage.airflow.start()
        stage.run(20)
        stage.airflow.reset()
        stage.run(300)
        assert len(stage.world.scans) == 1


@both_modes
@pytest.mark.parametrize("execution_timeout", [None, 300.0])
def test_a_scan_that_cannot_be_cancelled_at_the_deadline_is_not_forgotten(
    deferrable: bool, execution_timeout: float | None
) -> None:
    with Stage(deferrable=deferrable, repeat_check="off", timeout=600.0, execution_timeout=execution_timeout) as stage:
        stage.airflow.start()
        stage.run(290 if execution_timeout else 590)
        stage.lose_network(40)
        stage.run(300)
        assert len(stage.world.scans) == 2
        assert not stage.world.runs(stage.world.scans[0])
