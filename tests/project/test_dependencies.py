"""docs/dependencies.md, pyproject.toml and the locks say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
NEEDED = [Requirement(text) for text in PROJECT["dependencies"]]
OPTIONAL = [Requirement(text) for texts in PROJECT["optional-dependencies"].values() for text in texts]
LOCKS = sorted((ROOT / "tests" / "requirements").glob("*.lock"))


def locked(lock: Path) -> list[Requirement]:
    return [Requirement(line) for line in lock.read_text().splitlines() if line.strip()]


def test_the_page_lists_what_is_needed_and_its_floors() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| ([0-9.]+) \|", page, re.MULTILINE)
    assert dict(rows) == {one.name: str(one.specifier).removeprefix(">=") for one in [*NEEDED, *OPTIONAL]}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_one_version_of_each_package_from_the_index(lock: Path) -> None:
    requirements = locked(lock)
    assert len(requirements) > 100
    for one in requirements:
        assert one.url is None, one
        assert [each.operator for each in one.specifier] == ["=="], one
    unconditional = [one.name for one in requirements if one.marker is None]
    assert len(unconditional) == len(set(unconditional))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_what_is_needed_and_not_less(lock: Path) -> None:
    versions = {one.name: Version(next(iter(one.specifier)).version) for one in locked(lock)}
    for one in NEEDED:
        assert one.specifier.contains(versions[one.name]), one


def test_there_are_locks_for_the_oldest_and_the_newest_airflow() -> None:
    assert [lock.stem for lock in LOCKS] == ["airflow-2.11", "airflow-3.3"]
