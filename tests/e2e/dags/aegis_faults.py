"""DAGs that things are done to: workers that die at a given point, and waits that are ended from outside."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any
from unittest import mock

from airflow.sdk import DAG, Context

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from airflow_provider_aegis.retry import AEGIS_RETRY_POLICY
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor

POINTS = {
    "before_start": "airflow_provider_aegis.operators.scan.submit",
    "before_store": "airflow_provider_aegis.operators.scan.Scan._keep",
    "after_store": "airflow_provider_aegis.operators.once_task.AegisOnceTaskOperator._await_end",
}
SCAN: dict[str, Any] = {
    "task_id": "scan",
    "once_task_type": "VUL_CHECK_TASK",
    # Every run has scans of a name of its own, by which a test finds them.
    "once_task_name": "{{ params.name }}",
    "poll_interval": 1,
    "max_poll_interval": 2,
    # Airflow 3.3.2 can mark a deferral of a few seconds failed.
    "first_poll_delay": 10,
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
}


def die(*_: Any, **__: Any) -> None:
    """End both processes of the task, as when the machine loses its power."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


class MortalOperator(AegisOnceTaskOperator):
    """Dies once, at the point that the run names."""

    template_fields = (*AegisOnceTaskOperator.template_fields, "dies_at")

    def __init__(self, *, dies_at: str = "{{ params.dies_at }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dies_at = dies_at

    def execute(self, context: Context) -> Any:
        """Run, but not beyond that point in the first try."""
        if context["ti"].try_number == 1 and (point := POINTS.get(self.dies_at)):
            with mock.patch(point, die):
                return super().execute(context)
        return super().execute(context)


with DAG(dag_id="aegis_mortal", schedule=None, catchup=False, params={"name": "", "dies_at": ""}):
    MortalOperator(deferrable=False, **SCAN)

with DAG(dag_id="aegis_mortal_deferrable", schedule=None, catchup=False, params={"name": "", "dies_at": ""}):
    MortalOperator(deferrable=True, **SCAN)

with DAG(dag_id="aegis_deferred", schedule=None, catchup=False, params={"name": ""}):
    AegisOnceTaskOperator(**SCAN | {"deferrable": True, "retries": 0})

with DAG(dag_id="aegis_deadline", schedule=None, catchup=False, params={"name": ""}):
    AegisOnceTaskOperator(**SCAN | {"deferrable": True, "retries": 0, "timeout": 20})

with DAG(dag_id="aegis_retried", schedule=None, catchup=False, params={"name": ""}):
    AegisOnceTaskOperator(**SCAN, on_conflict="fail", retry_policy=AEGIS_RETRY_POLICY)

with DAG(dag_id="aegis_many", schedule=None, catchup=False, params={"name": ""}):
    AegisOnceTaskOperator.partial(
        **{name: value for name, value in SCAN.items() if name != "once_task_name"}, deferrable=True
    ).expand(once_task_name=[f"many-{index}" for index in range(20)])

with DAG(dag_id="aegis_watched", schedule=None, catchup=False, params={"name": "", "once_task_id": ""}):
    AegisOnceTaskSensor(
        task_id="wait",
        once_task_id="{{ params.once_task_id }}",
        once_task_type="VUL_CHECK_TASK",
        once_task_name="{{ params.name }}",
        poll_interval=1,
        first_poll_delay=10,
        deferrable=True,
    )
