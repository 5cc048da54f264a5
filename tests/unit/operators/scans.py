"""The operator as the tests of its folder run it, and scans that others start."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from tests.unit.airflow_task import Make

SCAN = "VUL_CHECK_TASK"
START, READ, CANCEL = "GenerateOnceTask", "GetOnceTaskResultInfo", "CancelOnceTask"

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])


class Impatient(AegisOnceTaskOperator):
    """The operator, with nothing to wait for before the triggerer's first read."""

    unknown_task_grace = 0.3


def scan(deferrable: bool = False, **kwargs: Any) -> Make:
    arguments: dict[str, Any] = {"once_task_type": SCAN, "poll_interval": 0.01, "first_poll_delay": 0, **kwargs}
    return lambda: Impatient(task_id="scan", deferrable=deferrable, **arguments)


def start_elsewhere(**kwargs: Any) -> str:
    with AegisHook() as hook:
        once_task_id: str = hook.generate_once_task(**{"once_task_type": SCAN, **kwargs})["TaskId"]
        return once_task_id
