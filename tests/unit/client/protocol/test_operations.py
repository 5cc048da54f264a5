from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.operations import OPERATIONS, VERSION, Call, call, find_operation


def test_the_version_is_the_products() -> None:
    assert VERSION == "2018-12-03"


@pytest.mark.parametrize(
    ("action", "reads", "repeatable", "items"),
    [
        ("GenerateOnceTask", False, False, None),
        ("GetOnceTaskResultInfo", True, True, None),
        ("GetLastOnceTaskInfo", True, True, None),
        ("DescribeOnceTask", True, True, "TaskManageResponseList"),
        ("DescribeOnceTaskLeafRecordPage", True, True, "OnceTasks"),
        ("ListUnfinishedOnceTask", True, True, None),
        ("CancelOnceTask", False, True, None),
        ("CreateVirusScanOnceTask", False, False, None),
    ],
)
def test_the_once_task_family(action: str, reads: bool, repeatable: bool, items: str | None) -> None:
    operation = OPERATIONS[action]
    assert find_operation(action) is operation
    assert (operation.name, operation.reads, call(action).repeatable, operation.items) == (
        action,
        reads,
        repeatable,
        items,
    )


def test_cancelling_is_the_one_write_that_may_be_sent_twice() -> None:
    assert [name for name, known in OPERATIONS.items() if call(name).repeatable and not known.reads] == [
        "CancelOnceTask"
    ]


@pytest.mark.parametrize("action", [*OPERATIONS, "DescribeVulList", "ModifyStartVulScan"])
def test_a_permission_is_granted_under_both_prefixes(action: str) -> None:
    assert find_operation(action).ram_actions == (f"yundun-aegis:{action}", f"yundun-sas:{action}")


@pytest.mark.parametrize(
    ("action", "reads"),
    [
        ("DescribeVulList", True),
        ("GetVirusScanLatestTaskStatistic", True),
        ("ListVirusScanMachine", True),
        ("QueryDiscoverDatabase", True),
        ("CheckUserHasEcs", True),
        ("ModifyStartVulScan", False),
        ("CreateAssetSelectionConfig", False),
        ("DeleteGroup", False),
        ("SubmitCheck", False),
        ("ExecStrategy", False),
        ("OperateVuls", False),
    ],
)
def test_an_operation_of_no_table_reads_if_its_name_begins_so_and_only_then_is_repeated(
    action: str, reads: bool
) -> None:
    operation = find_operation(action)
    assert (operation.name, operation.reads, call(action).repeatable, operation.items) == (action, reads, reads, None)


@pytest.mark.parametrize(
    "action",
    [
        "",
        " ",
        "describeVulList",
        "Describe VulList",
        "Describe-Vul",
        "Describe.Vul",
        "1Get",
        "Get\n",
        "Get\r\nx: y",
        "Gét",
    ],
)
def test_what_cannot_be_the_name_of_an_operation_is_refused(action: str) -> None:
    with pytest.raises(ConfigurationError, match="action"):
        find_operation(action)


def test_a_call_is_an_operation_with_its_parameters() -> None:
    params: dict[str, Any] = {"Type": "cve", "CurrentPage": 1}
    assert call("DescribeVulList", **params) == Call(find_operation("DescribeVulList"), params, repeatable=True)
