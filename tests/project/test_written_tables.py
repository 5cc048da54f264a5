"""Tables of the docs that are written from the code: run as a module, this writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_provider_aegis.client.readers import FINDINGS, READERS, Read
from airflow_provider_aegis.emulator import Settings

DOCS = Path(__file__).parents[2] / "docs"


def settings_table() -> str:
    """The emulator's settings, with what the docstring says of each."""
    text = re.sub(r"\n {8}(?=\S)", " ", Settings.__doc__ or "")
    explained = dict(re.findall(r":param (\w+): (.*)", text))
    rows = [f"`{one.name}` | `{_spelt(one.default)}` | {_prose(explained[one.name])}" for one in fields(Settings)]
    return _table("setting | default | meaning", rows)


def findings_table() -> str:
    """The named sets of findings."""
    rows = [
        f"`{name}` | {'; '.join(map(_read, one.reads))} | {', '.join(f'`{kind}`' for kind in one.once_task_types)}"
        for name, one in FINDINGS.items()
    ]
    return _table("findings | are read with | scans that find them", rows)


def readers_table() -> str:
    """Every operation that lists findings."""
    rows = [
        f"`{name}` | `{one.records}` | {_names(one.key)} | {one.paging} | {_names(one.required)} "
        f"| {_names(one.urgency)} | {'yes' if one.accounts else ''}"
        for name, one in READERS.items()
    ]
    return _table("operation | list | key | paging | required | urgency | member accounts", rows)


def _read(read: Read) -> str:
    params = ", ".join(f"{name}={value}" for name, value in read.params.items())
    return f"`{read.action}`{f' ({params})' if params else ''}"


def _names(names: tuple[str, ...] | str) -> str:
    return ", ".join(f"`{name}`" for name in ((names,) if isinstance(names, str) else names) if name)


def _spelt(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value)


def _prose(text: str) -> str:
    sentence = text.replace("``", "`").strip()
    return sentence[0].upper() + sentence[1:]


def _table(head: str, rows: list[str]) -> str:
    return "\n".join(["", f"| {head} |", f"|{'---|' * (head.count('|') + 1)}", *(f"| {row} |" for row in rows), "", ""])


TABLES: dict[tuple[str, str], Callable[[], str]] = {
    ("emulator.md", "settings"): settings_table,
    ("read_findings.md", "findings"): findings_table,
    ("read_findings.md", "readers"): readers_table,
}


def place(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


@pytest.mark.parametrize(("page", "name"), TABLES)
def test_a_table_is_what_the_code_says(page: str, name: str) -> None:
    found = place(name).search((DOCS / page).read_text())
    assert found
    assert found[2] == TABLES[page, name](), "run: python -m tests.project.test_written_tables"


def write(page: str, name: str) -> None:
    text, table = (DOCS / page).read_text(), TABLES[page, name]()
    (DOCS / page).write_text(place(name).sub(lambda found: found[1] + table + found[3], text))


if __name__ == "__main__":
    for one in TABLES:
        write(*one)
