"""Start a scan, wait for it with a sensor, read its result, and use the result downstream.

1. `start` starts the scan and pushes its id to XCom.
2. `wait` reads the scan's status until the scan has ended.
3. `result` reads the payload, which has the API's own names.
4. `report` is a TaskFlow task that uses the payload.
"""

from __future__ import annotations

from typing import Any

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator, AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor

SCAN = "ASSETS_COLLECTION"

with DAG(dag_id="aegis_scan_pipeline", doc_md=__doc__, schedule=None, catchup=False, tags=["aegis", "example"]) as dag:
    start = AegisOnceTaskOperator(
        task_id="start",
        once_task_type=SCAN,
        param={"items": "ACCOUNT_SNAPSHOT,PORT_SNAPSHOT,PROC_SNAPSHOT,SOFTWARE_SNAPSHOT"},
        wait_for_completion=False,
    )
    wait = AegisOnceTaskSensor(
        task_id="wait",
        once_task_id="{{ ti.xcom_pull(task_ids='start', key='once_task_id') }}",
        once_task_type=SCAN,
        poll_interval=5,
        timeout=60 * 60,
    )
    result = AegisGetOnceTaskResultOperator(
        task_id="result",
        once_task_id="{{ ti.xcom_pull(task_ids='start', key='once_task_id') }}",
        once_task_type=SCAN,
    )

    @dag.task
    def report(payload: Any) -> str:
        """Say in a line how the scan ended."""
        text = f"{payload['TaskInfo']['Status']}: {payload['FinishCount']} of {payload['TotalCount']} done"
        print(text)
        return text

    start >> wait >> result
    report(result.output)
