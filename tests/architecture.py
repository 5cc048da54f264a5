"""Writes the map in ``docs/architecture.md``, a line for each module from its docstring: ``make map``."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_aegis"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- map: begin (make map) -->\n", "<!-- map: end -->\n"


def summary(module: Path) -> str:
    """Return the first sentence or paragraph of a module's docstring as one line of Markdown."""
    text = ast.get_docstring(ast.parse(module.read_text())) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`").removesuffix(".")


def lines() -> list[str]:
    """Return the map: packages before what they hold, modules that say something in alphabetical order."""
    found = []
    for folder in sorted({module.parent for module in PACKAGE.rglob("*.py")}):
        name = folder.relative_to(ROOT).as_posix()
        found += ["", f"**`{name}/`** {summary(folder / '__init__.py')}", ""]
        modules = sorted(module for module in folder.glob("*.py") if module.name != "__init__.py")
        found += [f"- `{module.name}`: {summary(module)}" for module in modules]
    return found


def written() -> str:
    """Return the page with the map as the tree is."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + "\n".join([*lines(), "", ""]) + END + tail


if __name__ == "__main__":
    PAGE.write_text(written())
