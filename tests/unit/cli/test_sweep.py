"""Scans whose task was ended while nobody could cancel them: which are listed, and which are cancelled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.util import find_spec
from typing import Any

import pytest

from airflow_provider_aegis.__main__ import main
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.operators.submission import TaskSubmission
from airflow_provider_aegis.operators.submission_store import KEY
from tests.unit.airflow_task import AIRFLOW_2, FakeTask
from tests.unit.operators.scans import CANCEL, READ, SCAN, scan, start_elsewhere

pytestmark = pytest.mark.skipif(
    AIRFLOW_2 or not find_spec("airflow.models.task_state_store"), reason="this Airflow stores nothing of a task"
)

Put = Callable[..., None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put a submission and its task instance into a database of Airflow's own tables."""
    from airflow.models import import_all_models
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import Table, create_engine, insert
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    import_all_models()  # type: ignore[no-untyped-call]
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    tables: list[Table] = [TaskStateStoreModel.__table__, TaskInstance.__table__]
    for table in tables:
        table.create(engine)

    @contextmanager
    def create_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    monkeypatch.setattr("airflow.utils.session.create_session", create_session)

    def put(submission: TaskSubmission | dict[str, Any], state: str | None, task_id: str = "scan", **row: Any) -> None:
        value = asdict(submission) if isinstance(submission, TaskSubmission) else submission
        where = {"dag_id": "dag", "run_id": "run", "task_id": task_id, "map_index": -1, **row}
        with engine.begin() as connection:
            stored = {**where, "dag_run_id": 1, "key": KEY, "value": json.dumps(value)}
            connection.execute(insert(TaskStateStoreModel).values(**stored))
            if state != "deleted":
                instance = {**where, "state": state, "pool": "default_pool", "pool_slots": 1}
                instance |= {"priority_weight": 1, "queue": "default", "max_tries": 0}
                connection.execute(insert(TaskInstance.__table__).values(**instance))

    return put


@pytest.fixture
def left(sas: Emulator, task: FakeTask) -> TaskSubmission:
    """A scan that runs, and what its task stored."""
    task.run(scan(wait_for_completion=False))
    assert task.store is not None
    stored = TaskSubmission.from_stored(task.store[KEY])
    assert stored
    return replace(stored, awaited=True)


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed", "deleted"])
def test_a_scan_of_an_ended_task_is_listed(
    state: str, sas: Emulator, left: TaskSubmission, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    put(left, state)
    main(["sweep"])
    output = capsys.readouterr().out
    assert sas.started[0] in output
    assert "runs" in output
    assert sas.requests[CANCEL] == 0


@pytest.mark.parametrize("known", ["id", "source"])
def test_it_is_cancelled_on_demand(known: str, sas: Emulator, left: TaskSubmission, put: Put) -> None:
    put(left if known == "id" else replace(left, once_task_id=""), "failed")
    main(["sweep", "--cancel"])
    assert sas.cancelled == sas.started
    main(["sweep", "--cancel"])
    assert sas.requests[CANCEL] == 1, "it does not run any more"


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_retry", "queued", "scheduled", "restarting", None])
def test_a_scan_whose_task_goes_on_is_left_alone(
    state: str | None, sas: Emulator, left: TaskSubmission, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    put(left, state)
    main(["sweep", "--cancel"])
    assert "Every running scan" in capsys.readouterr().out
    main(["sweep", "--output", "json"])
    assert json.loads(capsys.readouterr().out) == []
    assert sas.requests[CANCEL] == 0


@pytest.mark.parametrize(
    "change",
    [{"ours": False}, {"ended": True}, {"awaited": False}, {"aegis_conn_id": "another"}],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_this_tasks_to_cancel_is_left_alone(
    change: dict[str, Any], sas: Emulator, left: TaskSubmission, put: Put
) -> None:
    put(replace(left, **change), "failed")
    reads = sas.requests[READ]
    main(["sweep", "--cancel"])
    assert sas.requests[CANCEL] == 0
    assert sas.requests[READ] == reads


def test_a_colleagues_scan_is_not_found_by_our_source(sas: Emulator, left: TaskSubmission, put: Put) -> None:
    sas.finish(sas.started[0])
    start_elsewhere(once_task_type=SCAN)
    put(replace(left, once_task_id="", source="airflow:0123456789abcdef"), "failed")
    main(["sweep", "--cancel"])
    assert sas.requests[CANCEL] == 0


def test_what_another_version_stored_is_passed_over(sas: Emulator, put: Put) -> None:
    put({"written": "by another version"}, "failed")
    main(["sweep", "--cancel"])
    assert sas.requests == {}


def test_trouble_with_one_scan_is_told_and_the_others_are_cancelled(
    sas: Emulator, left: TaskSubmission, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    put(left, "failed", "first")
    put(left, "failed", "second")
    sas.inject(READ, Fault.error("NoPermission", status=403), times=1)
    with pytest.raises(SystemExit, match="1 of 2 scans"):
        main(["sweep", "--cancel"])
    assert "NoPermission" in capsys.readouterr().out
    assert sas.cancelled == sas.started
