"""docs/connection.md says what the connection's table says. Run as a module, this writes the table of fields."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

from airflow_provider_aegis.hooks.auth import AUTH_TYPES
from airflow_provider_aegis.hooks.connection import parse_connection
from airflow_provider_aegis.hooks.connection_form import FIELDS, Field

PAGE = Path(__file__).parents[2] / "docs" / "connection.md"
TABLE = re.compile(r"(<!-- fields: [^\n]*-->\n)(.*?)(<!-- /fields -->)", re.DOTALL)


def fields_table() -> str:
    """The connection's fields as a table."""
    rows = [f"| {_name(one)} | {one.label} | {one.description}{_default(one)} |" for one in FIELDS]
    return "\n".join(["", "| field | in the form | |", "|---|---|---|", *rows, "", ""])


def _name(one: Field) -> str:
    return f"`{one.name}`" if one.standard else f"extra `{one.name}`"


def _default(one: Field) -> str:
    if one.default in (None, math.inf):
        return ""
    return f" Default: {f'`{one.default}`' if isinstance(one.default, str) else f'{one.default:g}'}."


def test_the_fields_are_those_of_the_connection() -> None:
    found = TABLE.search(PAGE.read_text())
    assert found
    assert found[2] == fields_table(), "run: python -m tests.project.test_connection_page"


def test_every_auth_type_has_an_example_that_can_be_read() -> None:
    examples = [json.loads(line) for line in PAGE.read_text().splitlines() if line.startswith('{"conn_type": "aegis"')]
    assert {example["extra"]["auth_type"] for example in examples} == set(AUTH_TYPES)
    for example in examples:
        extra = json.dumps(example.pop("extra"))
        fields = {"conn_id": "example", "login": None, "password": None, "host": None, "port": None, "extra": extra}
        parse_connection(SimpleNamespace(**fields | example))


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda found: found[1] + fields_table() + found[3], PAGE.read_text()))
