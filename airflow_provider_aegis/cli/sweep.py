"""``airflow aegis sweep``: find scans that still run although their task has ended, and cancel them."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass

from airflow.utils.cli import suppress_logs_and_warning

from airflow_provider_aegis.cli.table import print_rows
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.flows.submit import find_if_running
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.submission import TaskSubmission
from airflow_provider_aegis.operators.submission_store import KEY

SECONDS_EACH = 30.0
# No try follows one of these.
FINISHED_STATES = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """A submission and the task instance that stored it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    submission: TaskSubmission


@suppress_logs_and_warning
def sweep(arguments: Namespace) -> None:
    """Print the scans that still run although their task instance has ended, and cancel them on demand.

    The exit status is 1 if a scan could not be read or not be cancelled.

    :param arguments: ``conn_id``; ``cancel``, whether to cancel; ``output``; ``verbose``, to see the log.
    """
    # Without it Airflow 3 does not read the connections of its database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    rows, troubles = [], 0
    for stored in ended_submissions(arguments.conn_id):
        try:
            once_task_id = _look(stored.submission, cancel=arguments.cancel)
        except (SecurityCenterError, ConfigurationError) as error:
            troubles += 1
            rows.append(_row(stored, stored.submission.once_task_id or "?", str(error)))
        else:
            if once_task_id:
                rows.append(_row(stored, once_task_id, "cancelled" if arguments.cancel else "runs"))
    if not rows and arguments.output in ("table", "plain"):
        print(f"Every running scan of connection {arguments.conn_id!r} has a task that waits for it.")
        return
    print_rows(rows, arguments.output)
    if troubles:
        raise SystemExit(f"{troubles} of {len(rows)} scans could not be read, or not be cancelled.")


def _row(stored: StoredSubmission, once_task_id: str, scan_state: str) -> dict[str, str]:
    return {
        "dag": stored.dag_id,
        "run": stored.run_id,
        "task": stored.task_id,
        "map index": "" if stored.map_index < 0 else str(stored.map_index),
        "task state": stored.state,
        "type": stored.submission.once_task_type,
        "scan": once_task_id,
        "scan state": scan_state,
    }


def _look(submission: TaskSubmission, *, cancel: bool) -> str | None:
    """Return the id of the submission's scan if it runs. Cancel it on demand."""
    with AegisHook(aegis_conn_id=submission.aegis_conn_id, region=submission.region) as hook:
        config = hook.config
        until = config.clock.monotonic() + SECONDS_EACH
        running = hook.run_flow(find_if_running(config, submission, deadline=until))
        if running and cancel:
            hook.run_flow(exchange(config, running.cancel(), deadline=until))
        return running.once_task_id if running else None


def ended_submissions(conn_id: str) -> Iterator[StoredSubmission]:
    """Read from Airflow's database the submissions whose task instance has ended.

    :param conn_id: only those that were made with this connection.
    """
    try:
        from airflow.models.task_state_store import TaskStateStoreModel
    except ImportError:
        raise SystemExit("Sweeping needs Airflow 3.3 or later: earlier ones store nothing about a scan.") from None
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import and_, select

    names = ("dag_id", "run_id", "task_id", "map_index")
    columns = [getattr(TaskStateStoreModel, name) for name in names]
    same = and_(*(getattr(TaskInstance, name) == column for name, column in zip(names, columns, strict=True)))
    wanted = (
        select(*columns, TaskInstance.id, TaskInstance.state, TaskStateStoreModel.value)
        .outerjoin(TaskInstance, same)
        .where(TaskStateStoreModel.key == KEY)
        .order_by(TaskStateStoreModel.updated_at)
    )
    with create_session() as session:
        rows = session.execute(wanted).all()
    for *where, ti_id, state, value in rows:
        submission = TaskSubmission.from_stored(json.loads(value))
        if submission is None or submission.aegis_conn_id != conn_id:
            continue
        state_now = "removed" if ti_id is None else str(state)
        if state_now in FINISHED_STATES and submission.cancellable and submission.awaited:
            dag_id, run_id, task_id, map_index = where
            yield StoredSubmission(dag_id, run_id, task_id, map_index, state_now, submission)
