"""The README is short, its links lead somewhere, and its DAG is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_it_has_at_most_900_words() -> None:
    assert len(README.split()) <= 900


def test_every_link_and_picture_is_a_file_of_the_repository() -> None:
    places = re.findall(r"\]\(([^)\s]+)\)", README)
    files = [place for place in places if not place.startswith("https://")]
    assert len(files) > 15
    for place in files:
        assert (ROOT / place).is_file(), place


def test_the_dag_is_one_deferrable_scan_and_a_task_that_uses_its_result() -> None:
    pytest.importorskip("airflow.sdk", reason="the DAG to copy is one for Airflow 3")
    (code,) = CODE.findall(README)
    names: dict[str, Any] = {}
    exec(compile(code.replace("catchup=False):", "catchup=False) as dag:"), "README.md", "exec"), names)
    scan, report = names["scan"], names["dag"].task_dict["report"]
    assert isinstance(scan, AegisOnceTaskOperator)
    assert scan.deferrable
    assert scan.downstream_task_ids == {report.task_id}
