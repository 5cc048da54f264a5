"""DAGs for a real Airflow 2: the operator in both of its modes."""

from __future__ import annotations

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

for mode in ("poke", "deferrable"):
    with DAG(dag_id=f"scan_{mode}", schedule=None, catchup=False) as dag:
        AegisOnceTaskOperator(
            task_id="scan",
            once_task_type="VUL_CHECK_TASK",
            once_task_name=mode,
            poll_interval=1,
            max_poll_interval=2,
            deferrable=mode == "deferrable",
        )
    globals()[dag.dag_id] = dag
