"""The package installs beside the constraints of every Airflow that is supported."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.matrix import DAYS, PAGE, PYTHON, UV, constrained, constraints

ROOT = Path(__file__).parents[2]
NEEDED = [Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]


def compile_requirements(*arguments: str, wanted: str) -> subprocess.CompletedProcess[str]:
    command = [str(UV), "pip", "compile", "-q", "--no-header", "--no-annotate", "--python-version", PYTHON]
    return subprocess.run([*command, *arguments, "-"], input=wanted, text=True, capture_output=True, cwd=ROOT)


@pytest.fixture(scope="module")
def index() -> None:
    """A package index; the tests that need one are skipped where there is none."""
    if not UV.exists():
        pytest.skip("uv, which resolves, is in the newest Airflow's environment alone")
    asked = compile_requirements("--no-cache", wanted="certifi")
    if asked.returncode:
        pytest.skip(f"SKIPPED, as no package index is reached: {asked.stderr.strip()[:300]}")


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("version", DAYS)
def test_it_resolves_beside_the_constraints(version: str) -> None:
    held = str(constraints(version))
    resolved = compile_requirements("pyproject.toml", "-c", held, wanted=f"apache-airflow=={version}")
    assert resolved.returncode == 0, resolved.stderr
    found = dict(line.split("==") for line in resolved.stdout.splitlines())
    assert {one.name: found[one.name] for one in NEEDED} == {one.name: constrained(version)[one.name] for one in NEEDED}


@pytest.mark.parametrize("version", DAYS)
def test_no_floor_is_above_what_an_environment_is_held_to(version: str) -> None:
    held = constrained(version)
    assert held["apache-airflow"] == version
    assert held.items() >= DAYS[version].pins.items()
    assert [one for one in NEEDED if not one.specifier.contains(held[one.name])] == []


def test_the_page_has_a_row_for_each_version() -> None:
    page = PAGE.read_text()
    assert [version for version in DAYS if f"\n| {version} |" not in page] == []
