"""Every Python example of the README and the docs runs: DAGs are made, and the emulator's calls are carried out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

sdk = pytest.importorskip("airflow.sdk", reason="the examples are for Airflow 3")

ROOT = Path(__file__).parents[2]
# The architecture has a fragment that explains; the files of testing.md are run in tests/dag_level.
OTHERS = {ROOT / "docs" / "architecture.md", ROOT / "docs" / "testing.md"}
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - OTHERS)]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(page, match[1], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, match in enumerate(BLOCK.finditer(page.read_text()), 1)
]


@pytest.mark.parametrize(("page", "code"), EXAMPLES)
def test_an_example_runs(page: Path, code: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(re.sub(r"^(with DAG\(.*\)):$", r"\1 as dag:", code, flags=re.MULTILINE), str(page), "exec"), names)
    dags = [one for one in names.values() if isinstance(one, sdk.DAG)]
    assert len(dags) == code.count("with DAG(")
    for dag in dags:
        dag.validate()
        assert dag.tasks


def test_there_are_examples_of_each_class() -> None:
    text = "".join(str(example.values[1]) for example in EXAMPLES)
    for name in ("AegisOnceTaskOperator(", "AegisOnceTaskSensor(", "AegisGetOnceTaskResultOperator(", "AegisHook("):
        assert name in text


def test_the_testing_page_shows_the_files_that_are_run() -> None:
    page = (ROOT / "docs" / "testing.md").read_text()
    shown = dict(re.findall(r"^`([\w.]+)`:\n\n```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    assert shown == {path.name: path.read_text() for path in (ROOT / "docs" / "examples").glob("*.py")}
