"""A scan's id is often a whole payload, or the useless TaskId in it: refused by name wherever an id is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.jobs.once_task import check_id
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger
from tests.unit.airflow_task import FakeTask

SCAN = "ASSETS_COLLECTION"
PAYLOAD = {"RequestId": "R", "TaskInfo": {"Status": "SUCCESS"}, "TaskId": 0}
HINT = r'take the XCom with the key once_task_id, as in XComArg\(scan, key="once_task_id"\)\.$'


@pytest.mark.parametrize(
    ("value", "text"), [("b8c7f0", "b8c7f0"), (" b8c7f0\n", "b8c7f0"), (42, "42"), (2**63, str(2**63)), ("042", "042")]
)
def test_a_text_or_a_number_is_an_id(value: object, text: str) -> None:
    assert check_id("once_task_id", value) == text


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (PAYLOAD, "dict"),
        (["b8c7f0"], "list"),
        (True, "bool"),
        (1.5, "float"),
        (b"b8c7f0", "bytes"),
        (0, "0"),
        ("0", "0"),
        (str(PAYLOAD), "a payload"),
        ('{"TaskId": 0}', "a payload"),
        ("['b8c7f0']", "a payload"),
    ],
    ids=repr,
)
def test_anything_else_is_refused_with_the_key_to_use(value: object, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^once_task_id must be the id of a scan, not {what}\. .*{HINT}"):
        check_id("once_task_id", value)


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_nothing_is_refused_as_nothing(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^once_task_id is empty\. If it comes from an XCom"):
        check_id("once_task_id", value)


ASKING: dict[str, Callable[[AegisHook, Any], object]] = {
    "result": lambda hook, value: hook.get_once_task_result_info(once_task_id=value, once_task_type=SCAN),
    "cancel": lambda hook, value: hook.cancel_once_task(once_task_id=value),
    "describe": lambda hook, value: list(hook.describe_once_task(once_task_type=SCAN, once_task_id=value)),
    "describe a root": lambda hook, value: list(hook.describe_once_task(root_task_id=value)),
    "leaves": lambda hook, value: list(
        hook.describe_once_task_leaf_record_page(once_task_type=SCAN, once_task_id=value)
    ),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=list(ASKING))
def test_the_hook_asks_for_no_payload(ask: Callable[[AegisHook, Any], object], sas: Emulator) -> None:
    with AegisHook() as hook, pytest.raises(ConfigurationError, match=f"must be the id of a scan, not dict.*{HINT}"):
        ask(hook, PAYLOAD)
    assert sas.requests == {}


@pytest.mark.parametrize("ask", ASKING.values(), ids=list(ASKING))
@pytest.mark.parametrize("value", ["", 0], ids=repr)
def test_the_hook_asks_for_no_empty_id(ask: Callable[[AegisHook, Any], object], value: Any, sas: Emulator) -> None:
    with AegisHook() as hook, pytest.raises(ConfigurationError, match="_task_id"):
        ask(hook, value)
    assert sas.requests == {}


@pytest.mark.parametrize("value", [PAYLOAD, str(PAYLOAD)], ids=["as it is", "rendered"])
@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_the_sensor_waits_for_no_payload(mode: str, value: Any, sas: Emulator, task: FakeTask) -> None:
    how: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}
    with pytest.raises(ConfigurationError, match=f"^once_task_id must be the id of a scan, not .*{HINT}"):
        task.run(lambda: AegisOnceTaskSensor(task_id="wait", once_task_id=value, once_task_type=SCAN, **how))
    assert sas.requests == {}


def test_the_result_operator_asks_for_no_payload(sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(ConfigurationError, match=f"^once_task_id must be the id of a scan, not dict.*{HINT}"):
        task.run(
            lambda: AegisGetOnceTaskResultOperator(task_id="r", once_task_id=PAYLOAD, once_task_type=SCAN)  # type: ignore[arg-type]
        )
    assert sas.requests == {}


def test_the_trigger_waits_for_no_payload(sas: Emulator, task: FakeTask) -> None:
    trigger = AegisOnceTaskTrigger(
        once_task_id=PAYLOAD,  # type: ignore[arg-type]
        once_task_type=SCAN,
        aegis_conn_id="aegis_default",
    )
    error = task.fire(trigger)["error"]
    assert error["error_class"] == "ConfigurationError"
    assert error["message"].startswith("once_task_id must be the id of a scan, not dict.")
    assert sas.requests == {}


@pytest.mark.parametrize("value", [["T"], {"a": 1}, 5], ids=repr)
def test_a_type_is_a_text(value: Any, sas: Emulator) -> None:
    with AegisHook() as hook, pytest.raises(ConfigurationError, match="once_task_type must be a string, not"):
        hook.generate_once_task(once_task_type=value)
    assert sas.requests == {}
