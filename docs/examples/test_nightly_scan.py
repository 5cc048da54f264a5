"""Tests of that DAG. The fixtures come with the package."""

from nightly_scan import dag

from airflow_provider_aegis.emulator import Fault
from airflow_provider_aegis.hooks.aegis import AegisHook


def test_a_scan_succeeds_though_reads_are_throttled(aegis_emulator, aegis_run_dag):
    aegis_emulator.inject("GetOnceTaskResultInfo", Fault.throttled(retry_after=0.2), times=2)
    run = aegis_run_dag(dag)
    assert run.state == "success"
    assert len(aegis_emulator.started) == 1


def test_the_run_fails_if_the_scan_times_out(aegis_emulator, aegis_run_dag):
    aegis_emulator.set(outcome="TIMEOUT")
    assert aegis_run_dag(dag).state == "failed"


def test_the_hook_reads_what_was_started(aegis_emulator, aegis_connection):
    with AegisHook(aegis_connection) as hook:
        started = hook.generate_once_task(once_task_type="VUL_CHECK_TASK")
    assert aegis_emulator.started == [started["TaskId"]]
