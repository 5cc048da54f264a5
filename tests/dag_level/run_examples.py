"""In a process of its own: runs examples with ``dag.test()`` and prints what came of them as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "example_dags"


def main(dag_ids: list[str]) -> None:
    """Run each DAG against two emulators, and the one that branches a second time."""
    from airflow_provider_aegis.emulator import Emulator

    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(seconds=1.0, requests_per_second=0) as sas,
        Emulator(seconds=1.0, requests_per_second=0) as second,
    ):
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW_CONN_AEGIS_DEFAULT": sas.connection_json(max_requests_per_second=100, max_poll_delay=0.5),
            "AIRFLOW_CONN_AEGIS_SECOND_ACCOUNT": second.connection_json(max_poll_delay=0.5),
        }
        from airflow.utils import db

        db.initdb()
        runs = {dag_id: _run(dag_id) for dag_id in dag_ids}
        counts = {"started": [len(sas.started), len(second.started)], "cancelled": len(sas.cancelled)}
        sas.set(outcome="TIMEOUT")
        print(json.dumps({"runs": runs, "timeout": _run("aegis_scan_timeout"), **counts}))


def _run(dag_id: str) -> dict[str, Any]:
    run = _load(dag_id).test()
    tis = sorted(run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index))
    return {
        "state": str(getattr(run.state, "value", run.state)),
        "tasks": {ti.task_id: str(getattr(ti.state, "value", ti.state)) for ti in tis},
        "names": [ti.rendered_map_index for ti in tis],
        "results": {
            f"{ti.task_id}[{ti.map_index}]": ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index) for ti in tis
        },
    }


def _load(dag_id: str) -> Any:
    modern = find_spec("airflow.dag_processing.dagbag")
    bag = import_module("airflow.dag_processing.dagbag" if modern else "airflow.models.dagbag").DagBag(str(EXAMPLES))
    assert not bag.import_errors, bag.import_errors
    return bag.dags[dag_id]


if __name__ == "__main__":
    main(sys.argv[1:])
