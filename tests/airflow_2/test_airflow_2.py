"""The oldest Airflow that is supported: a real scheduler and triggerer, and what the README's table says of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator

from .stack import Airflow2

HERE = Path(__file__).parent
PIPELINE = "aegis_scan_pipeline"
EXAMPLES = HERE.parents[1] / "example_dags"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def sas() -> Iterator[Emulator]:
    with Emulator(seconds=3, requests_per_second=0) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(sas: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow2]:
    folder = tmp_path_factory.mktemp("dags")
    shutil.copy(HERE / "dags.py", folder)
    shutil.copy(EXAMPLES / f"{PIPELINE}.py", folder)
    env = {
        "AIRFLOW_CONN_AEGIS_DEFAULT": sas.connection_json(max_requests_per_second=50),
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
    }
    with Airflow2(folder, env) as airflow:
        known = "SELECT 1 FROM dag WHERE dag_id IN ('scan_poke', 'scan_deferrable', ?)"
        airflow.wait(lambda: len(airflow.rows(known, PIPELINE)) == 3, PIPELINE)
        yield airflow


def ended(airflow: Airflow2, dag_id: str) -> str:
    """Wait until the DAG's only run has ended, and return its state."""
    return airflow.wait(lambda: {"success": "success", "failed": "failed"}.get(airflow.run_state(dag_id) or ""), dag_id)


def result(airflow: Airflow2, dag_id: str, task_id: str) -> Any:
    query = "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = 'return_value'"
    ((value,),) = airflow.rows(query, dag_id, task_id)
    return json.loads(value)


def test_the_pipeline_with_a_deferred_sensor(airflow: Airflow2) -> None:
    airflow.command("dags", "trigger", PIPELINE)
    assert ended(airflow, PIPELINE) == "success", airflow.logs(PIPELINE)
    assert result(airflow, PIPELINE, "result")["TaskInfo"]["Status"] == "SUCCESS"
    assert result(airflow, PIPELINE, "report") == "SUCCESS: 44 of 44 done"
    assert " starting" in airflow.logs(PIPELINE), "the triggerer had no part in it"


def test_a_killed_triggerer_loses_no_wait(airflow: Airflow2, sas: Emulator) -> None:
    sas.reset()
    sas.set(seconds=3600)
    airflow.command("dags", "trigger", "scan_deferrable")
    airflow.wait(lambda: airflow.states("scan_deferrable") == {"scan": "deferred"}, "scan_deferrable")
    airflow.wait(lambda: sas.requests["GetOnceTaskResultInfo"] > 1, "scan_deferrable")
    airflow.restart("triggerer")
    (once_task_id,) = sas.started
    sas.finish(once_task_id)
    assert ended(airflow, "scan_deferrable") == "success", airflow.logs("scan_deferrable")
    assert sas.started == [once_task_id]
    assert sas.cancelled == []
    assert result(airflow, "scan_deferrable", "scan")["TaskInfo"]["Status"] == "SUCCESS"


def test_a_running_task_that_is_ended_cancels_its_scan(airflow: Airflow2, sas: Emulator) -> None:
    sas.reset()
    sas.set(seconds=3600)
    airflow.command("dags", "trigger", "scan_poke")
    airflow.wait(lambda: sas.requests["GetOnceTaskResultInfo"] > 1, "scan_poke")
    (once_task_id,) = sas.started
    airflow.mark_failed("scan_poke", "scan")
    airflow.wait(lambda: sas.cancelled == [once_task_id], "scan_poke")
    assert ended(airflow, "scan_poke") == "failed"
