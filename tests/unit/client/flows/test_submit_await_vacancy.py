"""The wait until the scan that is in the way is over."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.flows.submit import await_vacancy
from airflow_provider_aegis.client.jobs.once_task import OnceTaskRef
from tests.fakes import Scripted, Stage, answer, config, failure

KIND = OnceTaskRef(once_task_type="T")
RUNNING = answer({"CollectTime": 1, "TaskInfo": {"Status": "PROCESSING"}})
OVER = answer({"CollectTime": 1, "TaskInfo": {"Status": "FAIL"}})


def wait(*replies: Scripted, delay: float = 300.0, deadline: float | None = None) -> tuple[bool, Stage]:
    stage = Stage(config(), replies)
    return stage.run_flow(await_vacancy(stage.config, KIND, first_delay=delay, deadline=deadline)), stage


def test_it_ends_when_the_scan_is_over() -> None:
    vacant, stage = wait(RUNNING, OVER)
    assert vacant
    assert stage.slept == [300.0, 300.0]


def test_no_delay_is_longer_than_the_connection_says() -> None:
    stage = Stage(config(max_poll_delay=0.2), [RUNNING, OVER])
    assert stage.run_flow(await_vacancy(stage.config, KIND, first_delay=300.0, deadline=None))
    assert stage.slept == [0.2, 0.2]


def test_trouble_that_passes_is_no_end() -> None:
    busy = failure("InternalError", 500)
    vacant, stage = wait(*[busy] * 5, OVER)
    assert vacant
    assert stage.clock.now > 600


@pytest.mark.parametrize("deadline", [0.5, 30.0, 290.0, 1000.0])
def test_it_gives_up_at_the_deadline_and_not_before(deadline: float) -> None:
    vacant, stage = wait(*[RUNNING] * 100, deadline=deadline)
    assert not vacant
    assert stage.clock.now == pytest.approx(deadline)
    assert len(stage.sent) < 15


def test_a_scan_that_ends_shortly_before_the_deadline_is_seen() -> None:
    stage = Stage(config())
    stage.replies = [lambda _: OVER if stage.clock.now > 290 else RUNNING] * 100
    assert stage.run_flow(await_vacancy(stage.config, KIND, first_delay=300.0, deadline=299.0))
    assert stage.clock.now < 299
