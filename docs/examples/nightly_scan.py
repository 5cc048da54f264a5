"""A DAG as users write it."""

from datetime import timedelta

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

with DAG(dag_id="nightly_scan", schedule=None) as dag:
    AegisOnceTaskOperator(
        task_id="scan",
        once_task_type="VUL_CHECK_TASK",
        deferrable=True,
        timeout=timedelta(hours=2),
    )
