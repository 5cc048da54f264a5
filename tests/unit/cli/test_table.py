"""Rows as Airflow's console prints them."""

from __future__ import annotations

import json

import pytest

from airflow_provider_aegis.cli.table import print_rows

LONG = "word " * 60 + "[bold]end[/bold] [/no]"
ROWS = [{"what": "a", "details": LONG}, {"what": "longer", "details": ""}]


def test_plain_is_one_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, "plain")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert " ".join(lines[1].split()) == f"a {LONG}"


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_program_reads_what_was_there(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, output)
    printed = capsys.readouterr().out
    if output == "json":
        assert json.loads(printed) == ROWS
    else:
        yaml = pytest.importorskip("yaml")
        assert yaml.safe_load(printed) == ROWS


def test_a_table_shows_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, "table")
    printed = " ".join(capsys.readouterr().out.replace("|", " ").split())
    assert printed.count("word") == 60
    assert "[bold]end[/bold] [/no]" in printed
