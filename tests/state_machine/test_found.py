"""What the machine has found, each as a story of its own: one task, one scan, and only that one is ever cancelled."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.emulator.faults import Fault
from tests.state_machine.oracle import CANCEL, READ, START
from tests.state_machine.stage import Stage

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
both_checks = pytest.mark.parametrize("repeat_check", ["name", "off"])


def requests(stage: Stage, action: str) -> int:
    count: int = stage.world.account.state()["requests"].get(action, 0)
    return count


def cancelled(stage: Stage) -> list[str]:
    ids: list[str] = stage.world.account.state()["cancelled"]
    return ids


# --- one scan


@both_modes
@both_checks
def test_a_start_that_is_retried_for_long_and_whose_answer_is_lost(deferrable: bool, repeat_check: str) -> None:
    with Stage(deferrable=deferrable, repeat_check=repeat_check, seconds=300.0) as stage:
        stage.inject(START, Fault.throttled(), seconds=700)
        stage.airflow.start()
        stage.run(650)
        stage.lose_start()
        stage.run(1000)
        stage.settle()
        assert len(stage.world.scans) == 1
        assert stage.airflow.state == "success"


@both_modes
def test_killed_before_the_start_arrives_while_a_colleague_starts_one(deferrable: bool) -> None:
    with Stage(deferrable=deferrable, repeat_check="off", timeout=600.0) as stage:
        stage.airflow.start()
        stage.run_until(f"{START} sent")
        stage.airflow.kill()
        theirs = stage.colleague_starts()
        stage.run_until("running")
        stage.run(100)
        stage.airflow.mark("failed")
        stage.settle()
        assert theirs not in stage.oracle.own
        assert theirs not in cancelled(stage)


@both_modes
@both_checks
@pytest.mark.parametrize("source_filter", ["honoured", "ignored", "refused"])
def test_a_colleagues_scan_is_not_cancelled_at_the_deadline(
    deferrable: bool, repeat_check: str, source_filter: str
) -> None:
    with Stage(
        deferrable=deferrable, repeat_check=repeat_check, source_filter=source_filter, timeout=600.0, seconds=5000.0
    ) as stage:
        stage.airflow.start()
        stage.run_until(f"{START} sent")
        stage.airflow.kill()
        stage.colleague_starts()
        stage.run(3000)
        assert stage.world.runs(stage.world.scans[0])
        stage.settle()


@both_modes
@both_checks
@pytest.mark.parametrize("how", ["clear", "change_arguments"])
def test_killed_within_the_start_and_then_cleared_or_changed(deferrable: bool, repeat_check: str, how: str) -> None:
    with Stage(deferrable=deferrable, repeat_check=repeat_check) as stage:
        stage.airflow.start()
        stage.run_until(f"{START} carried out")
        stage.airflow.kill()
        stage.run_until("up_for_retry")
        getattr(stage.airflow, how)()
        stage.run(1000)
        assert len(stage.world.scans) == 2
        assert cancelled(stage) == [stage.world.scans[0].task_id]
        stage.settle()


@both_modes
@both_checks
def test_killed_within_the_start_and_cleared_at_once(deferrable: bool, repeat_check: str) -> None:
    """The clear finds the task running, and leaves no mark on it: in doubt the scan is picked up again."""
    with Stage(deferrable=deferrable, repeat_check=repeat_check) as stage:
        stage.airflow.start()
        stage.run_until(f"{START} carried out")
        stage.airflow.kill(with_supervisor=True)
        stage.airflow.clear()
        stage.settle()
        assert stage.airflow.state == "success"


@both_modes
@both_checks
@pytest.mark.parametrize("heartbeat", [0.01, 5.0])
def test_cleared_while_the_answer_to_the_start_is_on_its_way(
    deferrable: bool, repeat_check: str, heartbeat: float
) -> None:
    with Stage(deferrable=deferrable, repeat_check=repeat_check, heartbeat=heartbeat) as stage:
        stage.inject(START, Fault.delayed(3.0, after=True))
        stage.airflow.start()
        stage.run_until(f"{START} carried out")
        stage.airflow.clear()
        stage.settle()
        assert stage.airflow.state == "success"


@both_modes
@pytest.mark.parametrize("over", [False, True])
def test_another_task_of_the_run_is_cleared_and_the_worker_dies(deferrable: bool, over: bool) -> None:
    with Stage(deferrable=deferrable) as stage:
        stage.airflow.start()
        stage.run_until(f"{START} answered")
        stage.step(2)
        stage.airflow.clear_another()
        stage.airflow.kill()
        if over:
            stage.end_scans(own=True)
        stage.settle()
        assert len(stage.world.scans) == 1
        assert stage.airflow.state == "success"


@both_modes
def test_a_task_whose_scan_succeeded_is_cleared(deferrable: bool) -> None:
    with Stage(deferrable=deferrable) as stage:
        stage.airflow.start()
        stage.run_until("success")
        stage.airflow.clear()
        stage.settle()
        assert len(stage.world.scans) == 2
        assert requests(stage, CANCEL) == 0


@both_modes
def test_adopt_takes_no_scan_that_was_over_long_ago(deferrable: bool) -> None:
    with Stage(deferrable=deferrable, on_conflict="adopt", seconds=500.0) as stage:
        stage.colleague_starts()
        stage.run(1000)
        stage.fill_account()
        stage.airflow.start()
        stage.run(100)
        stage.settle()
        assert stage.airflow.state == "success"
        assert len(stage.oracle.own) == 1


@both_modes
@pytest.mark.parametrize("on_conflict", ["wait", "adopt"])
def test_the_wait_for_another_scan_ends_at_the_deadline(deferrable: bool, on_conflict: str) -> None:
    with Stage(deferrable=deferrable, on_conflict=on_conflict, timeout=600.0) as stage:
        stage.fill_account()
        stage.airflow.start()
        stage.run(3000)
        assert stage.airflow.state == "failed"


# --- who sent SIGTERM?


@both_modes
@pytest.mark.parametrize("how", ["evict", "reset", "lose the api-server"])
def test_a_process_that_is_told_to_stop_leaves_the_scan_to_the_next_try(deferrable: bool, how: str) -> None:
    with Stage(deferrable=deferrable, heartbeat=0.01) as stage:
        stage.airflow.start()
        stage.run_until(f"{READ} sent")
        if how == "evict":
            stage.airflow.evict()
        elif how == "reset":
            stage.airflow.reset()
        else:
            stage.inject(READ, Fault.error("ServiceUnavailable", status=503), seconds=40)
            stage.airflow.go_away(40)
        stage.settle()
        assert len(stage.world.scans) == 1
        assert stage.airflow.state == "success"


@pytest.mark.parametrize("how", ["mark", "clear", "evict"])
def test_killed_while_it_waits_for_another_scan_it_starts_nothing(how: str) -> None:
    with Stage(seconds=5000.0, heartbeat=0.01) as stage:
        stage.colleague_starts()
        stage.airflow.start()
        stage.run(50)
        stage.end_scans(own=False)
        stage.run_until("GetLastOnceTaskInfo sent")
        match how:
            case "mark":
                stage.airflow.mark("failed")
            case "clear":
                stage.airflow.clear()
            case "evict":
                stage.airflow.evict()
        stage.run(15)
        assert len(stage.world.scans) == 1
        stage.settle()


@both_modes
def test_killed_while_a_retry_attaches_the_scan_is_cancelled(deferrable: bool) -> None:
    with Stage(deferrable=deferrable, heartbeat=0.01) as stage:
        stage.airflow.start()
        stage.run_until(f"{READ} sent")
        stage.airflow.kill()
        stage.run_until("running")
        stage.inject(READ, Fault.delayed(8.0), times=1)
        stage.run_until(f"{READ} sent")
        stage.airflow.mark("failed")
        stage.run(20)
        stage.settle()
        assert not stage.world.runs(stage.world.scans[0])


@both_modes
@pytest.mark.parametrize("what", ["failed", "success"])
def test_ended_while_the_answer_to_the_start_is_on_its_way(deferrable: bool, what: str) -> None:
    with Stage(deferrable=deferrable, heartbeat=0.01) as stage:
        stage.inject(START, Fault.delayed(2.0, after=True))
        stage.airflow.start()
        stage.run_until(f"{START} carried out")
        stage.airflow.mark(what)
        stage.settle()
        assert not stage.world.runs(stage.world.scans[0])
