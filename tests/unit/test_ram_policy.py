"""Least permission: each class is run with exactly the permissions that its policy grants, and calls nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_aegis.client.errors import ConfigurationError, OutcomeUnknownError, PermissionDeniedError
from airflow_provider_aegis.client.protocol.operations import OPERATIONS
from airflow_provider_aegis.client.readers import FINDINGS, READERS
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.emulator import operations as emulated
from airflow_provider_aegis.findings.export import Export
from airflow_provider_aegis.findings.fields import fields_of
from airflow_provider_aegis.findings.writers import write_parts
from airflow_provider_aegis.get_provider_info import get_provider_info
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.gate import AegisFindingsGateOperator
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator, AegisOnceTaskOperator
from airflow_provider_aegis.ram_policy import USES, findings_uses, operations_of, ram_policy
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from airflow_provider_aegis.transfers.findings_to_object_storage import AegisFindingsToObjectStorageOperator
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger, AegisVacancyTrigger
from tests.unit.airflow_task import FakeTask

SCAN = "VUL_CHECK_TASK"
START, LAST = "GenerateOnceTask", "GetLastOnceTaskInfo"


def operator(**kwargs: Any) -> AegisOnceTaskOperator:
    known: dict[str, Any] = {"task_id": "scan", "once_task_type": SCAN, "poll_interval": 0.01, "timeout": 30}
    return AegisOnceTaskOperator(**known | kwargs)


def start() -> str:
    """Start a scan with permissions of its own."""
    with AegisHook() as hook:
        once_task_id: str = hook.generate_once_task(once_task_type=SCAN)["TaskId"]
        return once_task_id


def permit(sas: Emulator, *actions: str) -> None:
    """Deny everything but some operations."""
    sas.set(denied=sorted(set(emulated.OPERATIONS) - set(actions)))


def runs_of_the_operator(sas: Emulator, task: FakeTask) -> None:
    """A start that gets lost, a scan that is adopted, an end by a user, and a wait in each mode."""
    task.store = None  # no run knows of the one before
    sas.inject(START, Fault.reset(), times=1)
    assert task.run(lambda: operator(wait_for_completion=False)) == sas.started[0]
    assert task.run(lambda: operator(wait_for_completion=False, on_conflict="adopt")) == sas.started[0]
    sas.finish(sas.started[0])
    sas.inject(START, Fault.reset(after=True), times=1)
    with pytest.raises(OutcomeUnknownError, match="knows the scan but not its id"):
        task.run(lambda: operator(wait_for_completion=False, once_task_type="IMAGE_SCAN"))
    killed = operator(wait_for_completion=False)
    killed.execute(task.context)
    killed.on_kill()
    assert sas.cancelled == sas.started[2:]
    sas.set(seconds=0.1)
    for deferrable in (False, True):
        assert task.run(partial(operator, deferrable=deferrable))["TaskInfo"]["Status"] == "SUCCESS"


def run_of_the_trigger(sas: Emulator, task: FakeTask) -> None:
    trigger = AegisOnceTaskTrigger(
        once_task_id=sas.started[0],
        once_task_type=SCAN,
        aegis_conn_id="aegis_default",
        first_poll_delay=0.0,
        ours=True,
        cancel_on_kill=True,
    )
    asyncio.run(trigger.on_kill())
    assert sas.cancelled == sas.started
    assert task.fire(trigger)["outcome"] == "failed"


def run_of_the_vacancy_trigger(sas: Emulator, task: FakeTask) -> None:
    sas.finish(sas.started[0])
    trigger = AegisVacancyTrigger(once_task_type=SCAN, aegis_conn_id="aegis_default", delay=0.01)
    assert task.fire(trigger)["outcome"] == "vacant"


def run_of_the_result_operator(sas: Emulator, task: FakeTask) -> None:
    one = AegisGetOnceTaskResultOperator(task_id="result", once_task_id=sas.started[0], once_task_type=SCAN)
    assert task.run(lambda: one)["TaskInfo"]["Status"] in ("INIT", "START")


def runs_of_the_sensor(sas: Emulator, task: FakeTask) -> None:
    sas.finish(sas.started[0])
    for how in ({}, {"mode": "reschedule"}, {"deferrable": True, "first_poll_delay": 0.0}):
        arguments: dict[str, Any] = {"task_id": "wait", "once_task_id": sas.started[0], "once_task_type": SCAN, **how}
        task.run(partial(AegisOnceTaskSensor, **arguments))


def run_of_the_connection_test(sas: Emulator, task: FakeTask) -> None:
    worked, message = AegisHook().test_connection()
    assert worked, message


def run_of_the_readers(sas: Emulator, task: FakeTask) -> None:
    with AegisHook() as hook:
        for name in FINDINGS:
            assert list(hook.read_findings(name))
        assert list(hook.read_findings("assets", accounts="all"))


def run_of_the_export(sas: Emulator, task: FakeTask) -> None:
    with TemporaryDirectory() as folder:
        for number, name in enumerate(FINDINGS):
            accounts = "all" if name == "assets" else None
            make = partial(
                AegisFindingsToObjectStorageOperator,
                task_id="export",
                findings=name,
                path=f"{folder}/{number}",
                accounts=accounts,
            )
            assert task.run(make)["records"]


def run_of_the_gate(sas: Emulator, task: FakeTask) -> None:
    with TemporaryDirectory() as folder:
        with Export(folder, owner="a run") as export:
            parts = write_parts(
                [], export.open_part, file_format="jsonl", fields=fields_of("alerts"), prefix=export.part_prefix
            )
            manifest = export.commit(findings="alerts", file_format="jsonl", shape="api", parts=tuple(parts), records=0)
        make = partial(AegisFindingsGateOperator, task_id="gate", manifest=manifest.uri, max_allowed={"serious": 0})
        assert not task.run(make)["breached"]


RUNS: dict[str, Callable[[Emulator, FakeTask], None]] = {
    "AegisOnceTaskOperator": runs_of_the_operator,
    "AegisGetOnceTaskResultOperator": run_of_the_result_operator,
    "AegisOnceTaskSensor": runs_of_the_sensor,
    "AegisOnceTaskTrigger": run_of_the_trigger,
    "AegisVacancyTrigger": run_of_the_vacancy_trigger,
    "AegisFindingsToObjectStorageOperator": run_of_the_export,
    "AegisFindingsGateOperator": run_of_the_gate,
    "read_findings": run_of_the_readers,
    "test_connection": run_of_the_connection_test,
}


@pytest.mark.parametrize("name", USES)
def test_each_class_works_with_exactly_its_permissions_and_uses_all_of_them(
    name: str, sas: Emulator, task: FakeTask
) -> None:
    if name != "AegisOnceTaskOperator":
        start()
    before = sas.requests
    permit(sas, *(use.action for use in USES[name]))
    RUNS[name](sas, task)
    used = {action for action, times in sas.requests.items() if times > before[action]}
    assert used == {use.action for use in USES[name]}


@pytest.mark.parametrize(
    ("name", "action"), [(name, use.action) for name, uses in USES.items() for use in uses if not use.without]
)
def test_what_is_said_to_be_needed_is_needed(name: str, action: str, sas: Emulator, task: FakeTask) -> None:
    if name != "AegisOnceTaskOperator":
        start()
    sas.set(denied=[action])
    with pytest.raises((PermissionDeniedError, AssertionError)):
        RUNS[name](sas, task)


def test_the_operator_starts_scans_with_no_more_than_what_is_needed(sas: Emulator, task: FakeTask) -> None:
    permit(sas, *(use.action for use in USES["AegisOnceTaskOperator"] if not use.without))
    sas.set(seconds=0.1)
    assert task.run(operator)["TaskInfo"]["Status"] == "SUCCESS"


@pytest.mark.parametrize(("missing", "found"), [("DescribeOnceTask", False), ("ListUnfinishedOnceTask", True)])
def test_without_a_list_the_others_tell_or_the_task_says_what_to_check(
    missing: str, found: bool, sas: Emulator, task: FakeTask
) -> None:
    sas.set(denied=[missing])
    sas.inject(START, Fault.reset(after=True), times=1)
    if found:
        assert task.run(partial(operator, wait_for_completion=False)) == sas.started[0]
    else:
        with pytest.raises(OutcomeUnknownError, match="Look at the tasks in the console"):
            task.run(partial(operator, wait_for_completion=False))
    assert len(sas.started) == 1


def test_without_the_last_scan_a_lost_start_and_a_conflict_fail(sas: Emulator, task: FakeTask) -> None:
    sas.set(denied=[LAST])
    sas.inject(START, Fault.reset(after=True), times=1)
    with pytest.raises(OutcomeUnknownError, match=f"could not be asked.*{LAST}"):  # a lost start
        task.run(partial(operator, wait_for_completion=False))
    task.store = None
    with pytest.raises(PermissionDeniedError, match=LAST):  # the scan that it started all the same is in the way
        task.run(partial(operator, wait_for_completion=False))
    assert len(sas.started) == 1


def test_every_class_of_this_provider_has_its_entry() -> None:
    info = get_provider_info()
    modules = [name for part in ("operators", "sensors", "triggers") for name in info[part][0]["python-modules"]]
    modules += [one["python-module"] for one in info["transfers"]]
    classes = {
        one.__name__
        for module in map(import_module, modules)
        for one in vars(module).values()
        if isinstance(one, type)
        and one.__module__ == module.__name__
        and (issubclass(one, BaseTrigger) or hasattr(one, "execute"))
    }
    assert set(USES) == classes | {"read_findings", "test_connection"}


def test_what_is_used_is_known() -> None:
    assert {use.action for uses in USES.values() for use in uses} <= {*OPERATIONS, *READERS}


def test_a_set_of_findings_has_a_policy_of_its_own() -> None:
    assert [(use.action, use.purpose) for use in findings_uses("virus_events", "vulnerabilities")] == [
        ("ListVirusScanMachine", "reads virus_events"),
        ("ListVirusScanMachineEvent", "reads virus_events"),
        ("DescribeVulList", "reads vulnerabilities"),
    ]


def test_the_policy_is_a_ram_document_with_both_prefixes() -> None:
    assert ram_policy("AegisOnceTaskSensor") == {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["yundun-aegis:GetOnceTaskResultInfo", "yundun-sas:GetOnceTaskResultInfo"],
                "Resource": "*",
            }
        ],
    }


def test_several_names_are_put_together_and_no_name_is_all_of_them() -> None:
    both = [one.name for one in operations_of(["test_connection", "AegisOnceTaskSensor", "AegisOnceTaskSensor"])]
    assert both == ["GetOnceTaskResultInfo", LAST]
    assert ram_policy() == ram_policy(*USES)


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no Scanner here.*AegisOnceTaskOperator, .*test_connection"):
        ram_policy("AegisOnceTaskSensor", "Scanner")
