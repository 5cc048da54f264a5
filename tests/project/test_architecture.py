"""``docs/architecture.md`` is what the tree is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import PACKAGE, PAGE, ROOT, summary, written


def test_the_map_has_every_module_and_no_other() -> None:
    assert PAGE.read_text() == written(), "run `make map`"


@pytest.mark.parametrize(
    "module", sorted(PACKAGE.rglob("*.py")), ids=lambda module: module.relative_to(PACKAGE).as_posix()
)
def test_every_module_says_in_a_line_what_it_is_for(module: Path) -> None:
    said = summary(module)
    assert 10 < len(said) < 160, f"{module.relative_to(ROOT)}: {said}"
