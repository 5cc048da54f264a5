"""The pytest plugin for users' DAGs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from airflow_provider_aegis import testing

ROOT = Path(__file__).parents[2]
CODE = """
import sys
import pytest
before = set(sys.modules)
import airflow_provider_aegis.testing
print(sorted(set(sys.modules) - before))
"""


def test_pytest_finds_the_plugin() -> None:
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert entry_points["pytest11"] == {testing.__name__: testing.__name__}


def test_the_plugin_imports_nothing_until_a_fixture_is_used() -> None:
    output = subprocess.check_output([sys.executable, "-c", CODE], text=True, cwd=ROOT)
    assert json.loads(output.replace("'", '"')) == ["airflow_provider_aegis", "airflow_provider_aegis.testing"]
