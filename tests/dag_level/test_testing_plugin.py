"""The test file that the documentation shows, as a user runs it: in a folder of its own, with an empty AIRFLOW_HOME."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest printed."""
    folder = tmp_path_factory.mktemp("users")
    for file in EXAMPLES.glob("*.py"):
        shutil.copy(file, folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "airflow_provider_aegis.testing", "-vv", "--durations=0"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("home")), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_passes_as_written(output: str) -> None:
    assert "3 passed" in output


def test_a_deferred_task_takes_no_ten_seconds(output: str) -> None:
    # The test before it has paid for Airflow's imports.
    seconds = re.search(r"([0-9.]+)s call +test_nightly_scan\.py::test_the_run_fails_if_the_scan_times_out", output)
    assert seconds
    assert float(seconds[1]) < 8
