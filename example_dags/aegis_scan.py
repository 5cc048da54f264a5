"""Start a scan and wait for its end in one task, which a crash of the worker neither repeats nor loses."""

from __future__ import annotations

from datetime import timedelta

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

with DAG(dag_id="aegis_scan", schedule=None, catchup=False, tags=["aegis", "example"]):
    AegisOnceTaskOperator(
        task_id="scan",
        once_task_type="VUL_CHECK_TASK",
        poll_interval=5,
        timeout=timedelta(hours=2),
        retries=2,
        retry_delay=timedelta(seconds=5),
    )
