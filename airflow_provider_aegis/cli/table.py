"""Tables on the terminal, and for a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

Row = Sequence[str]


def print_table(titles: Row, rows: Sequence[Row]) -> None:
    """Print a table: for a terminal wrapped to its width, for anything else one line for each row.

    :param titles: of the columns.
    :param rows: one text for each column.
    """
    # Airflow brings rich, though it is no dependency of this package.
    if sys.stdout.isatty() and find_spec("rich"):
        _print_wrapped(titles, rows)
    else:
        _print_plain(titles, rows)


def _print_wrapped(titles: Row, rows: Sequence[Row]) -> None:
    from rich.box import ASCII_DOUBLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=ASCII_DOUBLE_HEAD, show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # what a service said is text, and no markup
    Console().print(table)


def _print_plain(titles: Row, rows: Sequence[Row]) -> None:
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
