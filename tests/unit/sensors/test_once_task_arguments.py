"""The sensor's arguments have the operator's names and types; Airflow's own names still work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowProviderDeprecationWarning

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from tests.unit.airflow_task import MODES, FakeTask
from tests.unit.sensors.test_once_task import sensor, start

NEEDED: dict[str, Any] = {"task_id": "wait", "once_task_id": "id", "once_task_type": "VUL_CHECK_TASK"}


def intervals(**arguments: Any) -> tuple[float, float]:
    trigger = AegisOnceTaskSensor(**NEEDED, **arguments)._trigger(0.0)
    return float(str(trigger.poll_interval)), float(str(trigger.max_poll_interval))


def test_the_intervals_have_the_operators_names() -> None:
    assert intervals() == (60.0, 300.0)
    assert intervals(poll_interval=5, max_poll_interval=timedelta(seconds=20)) == (5.0, 20.0)
    assert intervals(poll_interval=600) == (600.0, 600.0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [("poke_interval", "poll_interval", (7.0, 300.0)), ("max_wait", "max_poll_interval", (60.0, 70.0))],
)
def test_an_old_name_works_and_names_the_new_one(old: str, new: str, expected: tuple[float, float]) -> None:
    value = expected[0] if old == "poke_interval" else timedelta(seconds=expected[1])
    with pytest.warns(AirflowProviderDeprecationWarning, match=f"^{old} is deprecated: use {new}.$") as warned:
        assert intervals(**{old: value}) == expected
    assert warned[0].filename == __file__, "the warning points at the DAG"


def test_the_new_name_wins() -> None:
    with pytest.warns(AirflowProviderDeprecationWarning):
        assert intervals(poke_interval=7, poll_interval=8)[0] == 8.0


@pytest.mark.parametrize("old", ["poke_interval", "max_wait"])
def test_an_old_name_is_judged_by_its_name(old: str) -> None:
    with pytest.warns(AirflowProviderDeprecationWarning), pytest.raises(ConfigurationError, match=f"^{old} must be "):
        intervals(**{old: -1})


def test_the_first_read_in_the_triggerer_comes_as_soon_as_the_operators() -> None:
    table: list[dict[str, Any]] = [{}, {"poll_interval": 2}, {"poll_interval": 2, "first_poll_delay": 7}]
    for arguments in table:
        operator = AegisOnceTaskOperator(task_id="scan", once_task_type="VUL_CHECK_TASK", **arguments)
        assert AegisOnceTaskSensor(**NEEDED, **arguments).first_poll_delay == operator.first_poll_delay


@pytest.mark.parametrize("mode", MODES)
def test_the_timeout_may_come_from_a_template(mode: str, sas: Emulator, task: FakeTask) -> None:
    assert "timeout" in AegisOnceTaskSensor.template_fields
    with pytest.raises(AirflowSensorTimeout):
        task.run(sensor(mode, start(), timeout="0.2"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["", "soon", "-5"])
def test_a_template_that_gives_no_number_is_named(mode: str, text: str, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout must be "):
        task.run(sensor(mode, "id", timeout=text))
    assert sas.requests == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("timeout", [0, 0.3])
def test_a_scan_that_the_service_never_knew_is_told_at_the_deadline_too(
    mode: str, timeout: float, sas: Emulator, task: FakeTask
) -> None:
    with pytest.raises(
        AirflowSensorTimeout, match=r"^Check the scan's id.* never-started .* is not known to Security Center"
    ):
        task.run(sensor(mode, "never-started", timeout=timeout))


@pytest.mark.parametrize("mode", MODES)
def test_soft_fail_skips_at_that_deadline(mode: str, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(AirflowSkipException):
        task.run(sensor(mode, "never-started", timeout=0.3, soft_fail=True))


def test_a_type_that_is_not_documented_is_warned_of(
    sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    one = AegisOnceTaskSensor(task_id="wait", once_task_id="id", once_task_type="VUL_CHECK", timeout=0)
    with pytest.raises(AirflowSensorTimeout):
        one.execute(task.context)
    assert "did you mean 'VUL_CHECK_TASK'?" in caplog.text
