"""Start a scan and wait for its end in one deferrable task.

While the scan runs the task waits in the triggerer and holds no worker. If a worker or the triggerer crashes, a later
try finds the same scan again and starts no second one. If you mark the task failed or clear it, its scan is cancelled.
"""

from __future__ import annotations

from datetime import timedelta

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

with DAG(dag_id="aegis_scan", doc_md=__doc__, schedule=None, catchup=False, tags=["aegis", "example"]):
    AegisOnceTaskOperator(
        task_id="scan",
        once_task_type="VUL_CHECK_TASK",
        deferrable=True,
        poll_interval=5,
        timeout=timedelta(hours=2),
        retries=2,
        retry_delay=timedelta(seconds=5),
    )
