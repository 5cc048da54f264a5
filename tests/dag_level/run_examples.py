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
    """Run each DAG against one emulator."""
    from airflow_provider_aegis.emulator import Emulator

    with tempfile.TemporaryDirectory() as home, Emulator(seconds=1.0, requests_per_second=0) as sas:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW_CONN_AEGIS_DEFAULT": sas.connection_json(max_requests_per_second=100),
        }
        from airflow.utils import db

        db.initdb()
        runs = {dag_id: _run(dag_id) for dag_id in dag_ids}
        print(json.dumps({"runs": runs, "started": len(sas.started), "cancelled": len(sas.cancelled)}))


def _run(dag_id: str) -> dict[str, Any]:
    run = _load(dag_id).test()
    tis = sorted(run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index))
    return {
        "state": str(getattr(run.state, "value", run.state)),
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
