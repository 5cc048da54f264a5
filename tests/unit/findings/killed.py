"""Exports that are ended at a chosen moment, each in a process of its own.

A moment is a record that is handed over, or an operation on the file system that is about to happen. Run as a module:
FOLDER kill|raise MOMENT...; the export of each moment goes to a folder named after it. Without moments the export is
written once, and the number of its moments printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_aegis.findings.export import Export, ExportError
from airflow_provider_aegis.findings.fields import FIELDS
from airflow_provider_aegis.findings.manifest import Manifest
from airflow_provider_aegis.findings.writers import write_parts
from tests.unit.findings.sample import vulnerability

OPERATIONS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir"}
RECORDS = [vulnerability(number) for number in range(60)]
FORMAT = "jsonl"


class Ended(BaseException):
    """The moment has come, as when a task is told to stop."""


class Moments:
    """Counts moments, and ends the process, or the export, at the chosen one."""

    def __init__(self, end_at: int = 0, *, kill: bool = True) -> None:
        self.count, self.end_at, self.kill = 0, end_at, kill
        sys.addaudithook(lambda event, _: self.pass_one() if event in OPERATIONS else None)

    def pass_one(self) -> None:
        self.count += 1
        if self.count == self.end_at:
            if self.kill:
                os._exit(9)
            raise Ended

    def records(self) -> Iterator[dict[str, Any]]:
        for record in RECORDS:
            self.pass_one()
            yield record


def write_export(path: Any, records: Any, owner: str = "dag/run/export") -> Manifest:
    with Export(path, owner=owner) as export:
        if export.finished:
            return export.finished
        parts = write_parts(
            records,
            export.open_part,
            file_format=FORMAT,
            fields=FIELDS["vulnerabilities"],
            prefix=export.part_prefix,
            part_bytes=4_000,
        )
        return export.commit(
            findings="vulnerabilities",
            file_format=FORMAT,
            shape="api",
            parts=tuple(parts),
            records=sum(part.records for part in parts),
        )


def main(folder: Path, mode: str, chosen: list[int]) -> None:
    write_export(folder / "warm", RECORDS)  # modules are loaded on first use, which is no moment of an export
    if not chosen:
        moments = Moments()
        write_export(folder / "whole", moments.records())
        print(moments.count)
    for moment in chosen:
        if not (child := os.fork()):
            moments = Moments(moment, kill=mode == "kill")
            try:
                write_export(folder / str(moment), moments.records())
            except (Ended, ExportError):
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(moment, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    from airflow_provider_aegis.findings import writers

    writers.BUFFER_BYTES = 400
    main(Path(sys.argv[1]), sys.argv[2], [int(moment) for moment in sys.argv[3:]])
