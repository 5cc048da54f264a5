"""How Airflow says that a task instance stands, for a process that was told to stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

# States after which no try picks the scan of a killed process up again. A running task that a user cleared is
# restarting: its next try starts afresh.
ENDED_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed", "restarting"})

log = logging.getLogger(__name__)


def was_ended(context: Context) -> bool:
    """Ask Airflow whether the task instance was ended, and not just its process (Airflow 3.3 and later).

    Airflow sends SIGTERM for a user's mark or clear, but also when a pod is evicted, a scheduler died or the api-server
    was away: then the instance still runs, or was reset, and a later try goes on with its scan.

    :param context: of the running task.
    :return: ``False`` as well if Airflow does not answer.
    """
    ti = context["ti"]
    try:
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        ).get(ti.run_id, {})
    except Exception as error:  # noqa: BLE001  (if Airflow does not answer, the scan goes on)
        log.warning("Airflow does not say how this task instance stands. %s", error)
        return False
    name = ti.task_id if (ti.map_index or 0) < 0 else f"{ti.task_id}_{ti.map_index}"
    # An instance that is not there was deleted with its run.
    return name not in states or str(states[name]) in ENDED_STATES
