"""Servers that a test starts: each ends with its `with` block, or when this process dies."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .api import until

# Nobody writes to its input, which closes when the owner ends. That works for every user and on every system.
_UNTIL_INPUT_CLOSES = '"$@" & server=$!; read -r _; kill -s "$0" "$server"; wait "$server"'
_START_TIMEOUT = 60.0


class ServerError(Exception):
    """A server did not come up; the message ends with its log."""


@contextmanager
def serving(
    command: Sequence[str], ready: Callable[[], bool], *, log: Path, stop: str, **options: Any
) -> Iterator[None]:
    """Run a server.

    :param ready: tells whether it answers.
    :param log: file for what it prints.
    :param stop: name of the signal that ends it at once.
    :param options: of `subprocess.Popen`.
    :raises ServerError: if it does not answer after a minute.
    """
    with log.open("ab") as output:
        shell = subprocess.Popen(
            ["sh", "-c", _UNTIL_INPUT_CLOSES, stop, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # out of reach of the terminal's Ctrl-C
            **options,
        )
    assert shell.stdin
    try:
        try:
            until(ready, _START_TIMEOUT, lambda: Path(command[0]).name)
        except TimeoutError as error:
            raise ServerError(f"{error}:\n{log.read_text(errors='replace')[-5000:]}") from error
        yield
    finally:
        shell.stdin.close()
        shell.wait()
