"""Records come back from an export as they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.findings.export import Export
from airflow_provider_aegis.findings.fields import fields_of
from airflow_provider_aegis.findings.reading import FORMATS, open_export, read_records
from airflow_provider_aegis.findings.writers import write_parts

RECORDS: list[dict[str, Any]] = [{"Name": f"n{number}", "Uuid": "ü\n", "Number": number} for number in range(1000)]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_every_format_gives_back_what_was_written(file_format: str, count: int, tmp_path: Path) -> None:
    with Export(tmp_path, owner="a run") as export:
        parts = write_parts(
            RECORDS[:count],
            export.open_part,
            file_format=file_format,
            fields=fields_of("vulnerabilities"),
            prefix=export.part_prefix,
            part_bytes=1000,
        )
        details: dict[str, Any] = {"findings": "vulnerabilities", "file_format": file_format, "shape": "api"}
        written = export.commit(parts=tuple(parts), records=count, **details)
    folder, manifest = open_export(written.uri)
    assert manifest == written
    assert list(read_records(folder, manifest)) == RECORDS[:count]
