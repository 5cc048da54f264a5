"""Scan several accounts side by side: one mapped task for each connection.

Each account has a connection of its own. `map_index_template` names the mapped tasks after their connections, in the
grid and in the logs.
"""

from __future__ import annotations

from airflow import DAG

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

ACCOUNTS = ["aegis_default", "aegis_second_account"]

with DAG(dag_id="aegis_scans_mapped", doc_md=__doc__, schedule=None, catchup=False, tags=["aegis", "example"]):
    AegisOnceTaskOperator.partial(
        task_id="scan",
        once_task_type="ASSETS_COLLECTION",
        poll_interval=5,
        map_index_template="{{ task.aegis_conn_id }}",
    ).expand(aegis_conn_id=ACCOUNTS)
