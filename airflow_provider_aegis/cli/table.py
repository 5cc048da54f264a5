"""Rows for the terminal or for a program, printed by Airflow's own console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def print_rows(rows: Sequence[Mapping[str, str]], output: str) -> None:
    """Print rows as Airflow's own commands do.

    :param rows: the text of each column, by its name.
    :param output: ``table``, ``plain``, ``json`` or ``yaml``.
    """
    from airflow.cli.simple_table import AirflowConsole
    from rich.markup import escape

    # In a table rich reads [bold] as markup, which the words of a service are not.
    shown = escape if output == "table" else str
    AirflowConsole().print_as([{name: shown(text) for name, text in row.items()} for row in rows], output)
