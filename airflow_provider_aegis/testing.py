"""Fixtures for tests of DAGs. pytest loads this module in every run: it imports nothing until a fixture is used.

``aegis_emulator`` is a Security Center of the test's own, ``aegis_connection`` the connection to it, ``aegis_run_dag``
runs a DAG against it in this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_aegis.emulator import Emulator

CONN_ID = "aegis_default"
SCAN_SECONDS = 0.5
POLL_SECONDS = 0.2


@pytest.fixture
def aegis_emulator() -> Iterator[Emulator]:
    """An emulator of Security Center for one test; a scan takes half a second and succeeds.

    Change it with ``aegis_emulator.set(outcome="FAIL")``, break it with ``aegis_emulator.inject(...)``, and look at
    ``aegis_emulator.started``.
    """
    from airflow_provider_aegis.emulator import Emulator

    with Emulator(seconds=SCAN_SECONDS, requests_per_second=0) as emulator:
        yield emulator


@pytest.fixture
def aegis_connection(aegis_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the connection to the emulator, ``aegis_default``, which operators use if they are given none.

    Through it every status is read after 0.2 s at the latest, also by a deferred task. For a connection of another id:
    ``monkeypatch.setenv("AIRFLOW_CONN_<ID>", os.environ["AIRFLOW_CONN_AEGIS_DEFAULT"])``.
    """
    connection = aegis_emulator.connection_json(max_requests_per_second=100, max_poll_delay=POLL_SECONDS)
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", connection)
    return CONN_ID


@pytest.fixture
def aegis_run_dag(
    aegis_connection: str,  # noqa: ARG001  (the DAG uses it)
    _aegis_database: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """Runs a DAG with ``dag.test()`` and returns the DAG run. It passes further arguments on to ``dag.test()``."""

    def run(dag: Any, **arguments: Any) -> Any:
        # Airflow 3 runs only what is in a DAG bundle.
        folder = str(Path(dag.fileloc).parent)
        classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
        bundle = {"name": "aegis_run_dag", "classpath": classpath, "kwargs": {"path": folder}}
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        return dag.test(**arguments)

    return run


@pytest.fixture(scope="session")
def _aegis_database() -> None:
    """Create Airflow's tables if its database has none, as in a new AIRFLOW_HOME."""
    from airflow import settings
    from airflow.utils import db
    from sqlalchemy import inspect

    if not inspect(settings.engine).get_table_names():
        db.initdb()
