"""Least permission: which operations each class calls, as a table, and the RAM policy that allows just those.

A test runs every class with exactly these permissions; ``docs/permissions.md`` and ``airflow aegis policy`` read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.operations import OPERATIONS, Operation, find_operation
from airflow_provider_aegis.client.readers import FINDINGS, READERS


@dataclass(frozen=True, slots=True)
class Use:
    """One operation that a class calls.

    :param action: name of the operation.
    :param purpose: what it is called for.
    :param without: what happens where it is not permitted; empty if the class is of no use then.
    """

    action: str
    purpose: str
    without: str = ""


_READ = Use("GetOnceTaskResultInfo", "reads how the scan stands")
_CANCEL = "the scan runs on in Security Center, with a warning in the task's log"
_SEARCH = "the task fails where the other lists cannot tell, and says what to check"


def findings_uses(*names: str) -> tuple[Use, ...]:
    """Return the operations that sets of findings are read with, as the table of readers says.

    :param names: of sets, as ``vulnerabilities``; all of them where none is given.
    """
    sets: dict[str, list[str]] = {}
    for name in names or FINDINGS:
        for action in {read.action: None for read in FINDINGS[name].reads}:
            each = READERS[action].for_each
            for called in (*((each.action,) if each else ()), action):
                sets.setdefault(called, []).append(name)
    return tuple(Use(action, f"reads {', '.join(found)}") for action, found in sets.items())


_FINDINGS = (
    *findings_uses(),
    Use("DescribeMonitorAccounts", "lists the accounts of the organisation for accounts='all'"),
)

# Adding a class is an entry here.
USES: dict[str, tuple[Use, ...]] = {
    "AegisOnceTaskOperator": (
        Use("GenerateOnceTask", "starts the scan"),
        _READ,
        Use(
            "GetLastOnceTaskInfo",
            "reads what ran before, finds a scan whose start got no answer, and waits for one that is in the way",
            "scans are started, but the task fails where it would have had to wait for another scan or to find one",
        ),
        Use("DescribeOnceTask", "finds a scan whose start got no answer, or one to adopt", _SEARCH),
        Use("ListUnfinishedOnceTask", "finds a scan whose start got no answer, or one to adopt", _SEARCH),
        Use("CancelOnceTask", "cancels the scan when its task is ended or its deadline passes", _CANCEL),
    ),
    "AegisGetOnceTaskResultOperator": (_READ,),
    "AegisOnceTaskSensor": (_READ,),
    "AegisOnceTaskTrigger": (
        _READ,
        Use("CancelOnceTask", "cancels the operator's scan when a user ends the deferred task", _CANCEL),
    ),
    "AegisVacancyTrigger": (Use("GetLastOnceTaskInfo", "waits for a scan that is in the way of the operator's"),),
    "AegisFindingsGateOperator": (),
    "AegisFindingsToObjectStorageOperator": _FINDINGS,
    "read_findings": _FINDINGS,
    "test_connection": (Use("GetLastOnceTaskInfo", "checks the credentials and the endpoint"),),
}


def operations_of(names: Iterable[str] = ()) -> tuple[Operation, ...]:
    """Return the operations that some classes call, each once, in the order of the tables of operations and of readers.

    :param names: of classes, as in :data:`USES`; all of them where none is given.
    :raises ConfigurationError: if there is no class of such a name; the text says which there are.
    """
    wanted = tuple(names) or tuple(USES)
    if unknown := [name for name in wanted if name not in USES]:
        raise ConfigurationError(f"There is no {' and no '.join(unknown)} here. There are: {', '.join(USES)}.")
    called = {use.action for name in wanted for use in USES[name]}
    return tuple(map(find_operation, (action for action in (*OPERATIONS, *READERS) if action in called)))


def ram_policy(*names: str) -> dict[str, Any]:
    """Return the RAM policy that allows what some classes call, and nothing else.

    :param names: of classes, as ``AegisOnceTaskOperator``; all of them where none is given.
    :return: the policy document, ready for ``json.dumps``.
    :raises ConfigurationError: if there is no class of such a name; the text says which there are.
    """
    actions = [action for operation in operations_of(names) for action in operation.ram_actions]
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
