"""Tables: wrapped for a terminal, one line a row for a pipe."""

from __future__ import annotations

import sys

import pytest

from airflow_provider_aegis.cli import table

LONG = "word " * 60 + "[bold]end[/bold]"


def test_a_pipe_gets_one_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_table(("what", "details"), [("a", LONG), ("longer", "")])
    assert capsys.readouterr().out.splitlines() == ["what    details", f"a       {LONG}", "longer"]


def test_a_terminal_gets_wrapped_cells(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    table.print_table(("what", "details"), [("a", LONG)])
    printed = capsys.readouterr().out
    assert all(len(line) <= 60 for line in printed.splitlines()[1:])
    assert printed.count("word") == 60
    assert "[bold]end[/bold]" in printed, "what a service said is no markup"


def test_without_rich_a_terminal_gets_plain_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    table.print_table(("what",), [("a",)])
    assert capsys.readouterr().out == "what\na\n"
