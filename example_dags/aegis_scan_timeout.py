"""Take another branch if Security Center ends the scan with TIMEOUT.

With `fail_on_timeout=False` the sensor succeeds on TIMEOUT and returns the payload, so that the DAG can branch on its
status. A scan that fails still fails the sensor.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_aegis.client.jobs.once_task import OnceTaskResult, Phase
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor

SCAN = "ASSET_SECURITY_CHECK"

with DAG(dag_id="aegis_scan_timeout", doc_md=__doc__, schedule=None, catchup=False, tags=["aegis", "example"]):
    start = AegisOnceTaskOperator(task_id="start", once_task_type=SCAN, wait_for_completion=False)
    wait = AegisOnceTaskSensor(
        task_id="wait",
        once_task_id="{{ ti.xcom_pull(task_ids='start') }}",
        once_task_type=SCAN,
        fail_on_timeout=False,
        poll_interval=5,
        timeout=60 * 60,
    )

    @task.branch
    def choose(payload: Any) -> str:
        """Name the task to go on with."""
        return "too_slow" if OnceTaskResult(payload).phase is Phase.TIMEOUT else "done"

    @task
    def done() -> None:
        """Use the findings."""
        print("The scan has ended; read its findings here.")

    @task
    def too_slow() -> None:
        """Tell somebody, or scan less."""
        print("The scan took too long for Security Center; scan fewer assets, or ask why.")

    start >> wait
    choose(wait.output) >> [done(), too_slow()]
