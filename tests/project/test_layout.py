"""``tests/unit`` mirrors the package, so that the tests of a module are found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_aegis"
UNIT = ROOT / "tests" / "unit"
TESTS = sorted(UNIT.rglob("test_*.py"))


def modules(folder: Path) -> set[str]:
    """Return what tests beside this folder's may be named after: its modules, and itself for what these do together."""
    return {path.stem.strip("_") for path in folder.glob("*.py")} | {folder.name}


@pytest.mark.parametrize("test", TESTS, ids=[str(test.relative_to(UNIT)) for test in TESTS])
def test_a_unit_test_is_named_after_a_module_and_stands_where_it_does(test: Path) -> None:
    folder = PACKAGE / test.parent.relative_to(UNIT)
    name = test.stem.removeprefix("test_")
    assert folder.is_dir(), f"no folder {folder.relative_to(ROOT)}"
    known = modules(folder)
    assert any(name == module or name.startswith(f"{module}_") for module in known), f"none of {sorted(known)}"


def test_there_are_unit_tests() -> None:
    assert len(TESTS) > 80
