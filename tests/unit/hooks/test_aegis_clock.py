"""A worker whose clock is off by hours: put right by one refusal, and no further error."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_aegis.client.flows.exchange import Flow, exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import Ending, Outcome, wait
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking

KIND = "VUL_CHECK_TASK"
POLLS = 20


@pytest.mark.parametrize("driver", [Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
@pytest.mark.parametrize("skew", [-7200, 7200], ids=["worker 2 hours ahead", "worker 2 hours behind"])
def test_a_clock_that_is_off_by_two_hours_costs_one_refusal(driver: Driver, skew: float, sas: Emulator) -> None:
    sas.set(clock_skew=skew)
    config = AegisHook().config

    def scan() -> Flow[Ending]:
        started = yield from exchange(config, once_task.generate_once_task(once_task_type=KIND))
        read = once_task.OnceTaskRef(once_task_id=started["TaskId"], once_task_type=KIND).read()
        for _ in range(POLLS):
            yield from exchange(config, read)
        threading.Timer(0.1, lambda: sas.finish(started["TaskId"])).start()
        return (yield from wait(config, read, judge=once_task.OnceTaskJudge(), poll_interval=PollInterval(0.05, 0.05)))

    assert driver.run_flow(config, scan()).outcome is Outcome.SUCCESS
    assert driver.run_flow(config, scan()).outcome is Outcome.SUCCESS, "the next task of the process knows it too"
    refusals = [(number, line.code) for number, line in enumerate(sas.log) if line.code]
    assert refusals == [(0, "InvalidTimeStamp.Expired")]
    assert len(sas.started) == 2
    assert len(sas.log) > 2 * POLLS
