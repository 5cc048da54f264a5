"""Every example runs as it stands, with ``dag.test()``, in both of the modes in which a task can wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dag_level.run_examples import EXAMPLES

ROOT = Path(__file__).parents[2]
DAG_IDS = sorted(path.stem for path in EXAMPLES.glob("aegis_*.py"))


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Both runs at once, since they mostly wait."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.dag_level.run_examples", *DAG_IDS]
    running = {
        mode: subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": str(mode == "deferrable")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mode in ("poke", "deferrable")
    }
    yield running
    for process in running.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module", params=["poke", "deferrable"])
def report(request: pytest.FixtureRequest, processes: dict[str, subprocess.Popen[str]]) -> dict[str, Any]:
    """What came of running all the examples."""
    process = processes[request.param]
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    printed: dict[str, Any] = json.loads(output.splitlines()[-1])
    return printed


def test_every_example_is_green(report: dict[str, Any]) -> None:
    assert {dag_id: run["state"] for dag_id, run in report["runs"].items()} == dict.fromkeys(DAG_IDS, "success")
    assert (report["started"], report["cancelled"]) == ([4, 1], 0)


def test_downstream_gets_the_payload(report: dict[str, Any]) -> None:
    results = report["runs"]["aegis_scan_pipeline"]["results"]
    assert results["report[-1]"] == "SUCCESS: 44 of 44 done"
    assert results["result[-1]"]["TaskInfo"]["Status"] == results["wait[-1]"]["TaskInfo"]["Status"] == "SUCCESS"


def test_mapped_tasks_have_a_result_and_the_name_of_their_account(report: dict[str, Any]) -> None:
    run = report["runs"]["aegis_scans_mapped"]
    assert [run["results"][f"scan[{index}]"]["TaskInfo"]["Status"] for index in range(2)] == ["SUCCESS"] * 2
    assert run["names"] == ["aegis_default", "aegis_second_account"]


def test_the_branch_follows_the_scans_end(report: dict[str, Any]) -> None:
    good, slow = report["runs"]["aegis_scan_timeout"]["tasks"], report["timeout"]["tasks"]
    assert (good["done"], good["too_slow"]) == ("success", "skipped")
    assert (slow["done"], slow["too_slow"]) == ("skipped", "success")
    assert report["timeout"]["state"] == "success"


def test_the_hook_is_used_in_taskflow(report: dict[str, Any]) -> None:
    assert report["runs"]["aegis_scan_history"]["state"] == "success"
    assert "report[-1]" in report["runs"]["aegis_scan_history"]["results"]


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_an_example_is_described_and_fully_typed(dag_id: str) -> None:
    text = (EXAMPLES / f"{dag_id}.py").read_text()
    assert "doc_md=__doc__" in text
    assert "type: ignore" not in text
