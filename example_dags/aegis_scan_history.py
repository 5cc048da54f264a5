"""Call Security Center from TaskFlow tasks with the hook: which scans of the last week ended how?

The hook has a method for each operation of one-time tasks, and `call` for every other one. The payloads have the API's
own names.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow import DAG

from airflow_provider_aegis.hooks.aegis import AegisHook

with DAG(dag_id="aegis_scan_history", doc_md=__doc__, schedule=None, catchup=False, tags=["aegis", "example"]) as dag:

    @dag.task
    def count_scans(once_task_type: str) -> dict[str, int]:
        """Count the scans of the last week by their status."""
        since = datetime.now(UTC) - timedelta(days=7)
        with AegisHook() as hook:
            pages = hook.describe_once_task(once_task_type=once_task_type, start_time=int(since.timestamp() * 1000))
            return dict(Counter(scan["TaskStatusText"] for page in pages for scan in page["TaskManageResponseList"]))

    @dag.task
    def report(counts: Any) -> str:
        """Say it in a line."""
        text = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no scan"
        print(text)
        return text

    report(count_scans("VUL_CHECK_TASK"))
