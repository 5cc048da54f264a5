"""What the processes of a task write down of themselves, for nobody else sees which process made which request."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

#: The variable with the folder in which each task has a journal.
FOLDER = "RELIABILITY_JOURNAL"
#: So many processes of one task can be told apart; those that follow are taken for the last one.
PROCESSES = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A process of a task begins, or something happens in it.

    :param at: in seconds of the clock that all processes of a machine share.
    :param supervisor: id of the process that it reports to.
    """

    what: str
    process: int
    pid: int
    supervisor: int
    try_number: int
    at: float


def key_of(process: int) -> str:
    """Return the access key id by which the emulator's log tells the processes of a task apart."""
    return f"process-{min(process, PROCESSES)}"


def write(name: str, what: str, process: int, try_number: int) -> None:
    """Add a line to the journal of the task with that scan."""
    entry = {"what": what, "process": process, "try_number": try_number, "at": time.monotonic()}
    line = json.dumps(entry | {"pid": os.getpid(), "supervisor": os.getppid()})
    # One write at the end of a file: lines of two processes do not mix.
    descriptor = os.open(Path(os.environ[FOLDER]) / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def read(folder: Path, name: str) -> list[Entry]:
    """Return the journal of the task with that scan."""
    path = folder / name
    if not path.exists():
        return []
    return [Entry(**json.loads(line)) for line in path.read_text().splitlines()]
