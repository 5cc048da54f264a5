"""Run several kinds of scan side by side, each mapped to a task of its own."""

from __future__ import annotations

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

with DAG(dag_id="aegis_scans_mapped", schedule=None, catchup=False, tags=["aegis", "example"]):
    # For several accounts, expand over aegis_conn_id in the same way.
    AegisOnceTaskOperator.partial(task_id="scan", poll_interval=5).expand(
        once_task_type=["ASSETS_COLLECTION", "VUL_CHECK_TASK", "IMAGE_SCAN"],
    )
