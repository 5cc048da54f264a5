"""Writers: every record once, parts of a size, hashes and counts that are right, constant memory."""

from __future__ import annotations

import csv
import gc
import gzip
import hashlib
import io
import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, BinaryIO, cast

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings import writers
from airflow_provider_aegis.findings.fields import FIELDS, Row
from airflow_provider_aegis.findings.writers import FORMATS, SHAPES, Part, check_format, encode, write_parts
from tests.unit.findings.sample import vulnerability

FIELDS_USED = FIELDS["vulnerabilities"]
HERE = [name for name in SHAPES["api"] if (needs := FORMATS[name].needs) is None or find_spec(needs[0])]


class Folder(dict[str, bytes]):
    """Files in memory; one that an exception ends is not kept."""

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        file = io.BytesIO()
        yield file
        self[name] = file.getvalue()
        file.close()


def read_parquet(data: bytes) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return [json.loads(raw) for raw in parquet.read_table(io.BytesIO(data))["raw"].to_pylist()]


def read_zstd(data: bytes) -> list[dict[str, Any]]:
    import zstandard

    text = zstandard.ZstdDecompressor().stream_reader(data).read()
    return [json.loads(line) for line in text.splitlines()]


READ: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "jsonl": lambda data: [json.loads(line) for line in data.splitlines()],
    "jsonl.gz": lambda data: [json.loads(line) for line in gzip.decompress(data).splitlines()],
    "jsonl.zst": read_zstd,
    "parquet": read_parquet,
}


def write(records: Any, file_format: str, **options: Any) -> tuple[list[Part], Folder]:
    folder = Folder()
    return write_parts(records, folder.open, file_format=file_format, fields=FIELDS_USED, **options), folder


@pytest.mark.parametrize("file_format", [name for name in HERE if name != "csv"])
def test_every_record_comes_back_as_it_was(file_format: str) -> None:
    records = [vulnerability(number, Text="半\u2028é\n", Big=2**60) for number in range(20)]
    parts, folder = write(iter(records), file_format)
    assert [part.name for part in parts] == [f"part-00000.{file_format}"]
    assert READ[file_format](folder[parts[0].name]) == records


@pytest.mark.parametrize("file_format", HERE)
def test_a_part_is_hashed_and_counted_while_it_is_written(file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "BUFFER_BYTES", 1000)
    parts, folder = write([vulnerability(number) for number in range(50)], file_format, part_bytes=1)
    assert len(parts) > 1 or file_format != "jsonl"
    for part in parts:
        data = folder[part.name]
        assert (part.sha256, part.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert sum(part.records for part in parts) == 50


@pytest.mark.parametrize("file_format", [name for name in HERE if name != "csv"])
def test_parts_are_closed_at_their_size_and_hold_all_records_in_order(
    file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "ROW_GROUP", 10)
    monkeypatch.setattr(writers, "BUFFER_BYTES", 1000)
    records = [vulnerability(number, Noise=random.Random(number).randbytes(2_000).hex()) for number in range(200)]
    parts, folder = write(records, file_format, part_bytes=30_000)
    assert len(parts) > 2
    assert list(folder) == [f"part-{number:05d}.{file_format}" for number in range(len(parts))]
    assert all(part.bytes >= 30_000 for part in parts[:-1])
    assert [record for part in parts for record in READ[file_format](folder[part.name])] == records
    assert [part.records for part in parts] == [len(READ[file_format](folder[part.name])) for part in parts]


@pytest.mark.parametrize("file_format", HERE)
def test_no_record_makes_one_readable_part(file_format: str) -> None:
    parts, folder = write([], file_format)
    assert [part.records for part in parts] == [0]
    data = folder[parts[0].name]
    assert data.count(b"\n") == 1 if file_format == "csv" else READ[file_format](data) == []


def test_equal_records_give_equal_files() -> None:
    (first, folder), (second, _) = (write([vulnerability()], "jsonl.gz") for _ in range(2))
    assert first == second
    assert folder[first[0].name][3:8] == bytes(5)  # neither a name nor a time


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert json.loads(encode({"Name": "a\ud800b", "Emoji": "\ud83d\ude00"})) == {"Name": "a\ufffdb", "Emoji": "😀"}


@pytest.mark.parametrize("file_format", HERE)
def test_half_a_surrogate_pair_does_not_end_an_export(file_format: str) -> None:
    record = vulnerability(AliasName="a\ud800")
    parts, folder = write([record, vulnerability(2)], file_format)
    assert parts[0].records == 2
    if file_format != "csv":
        assert READ[file_format](folder[parts[0].name])[0] == {**record, "AliasName": "a\ufffd"}


@pytest.mark.skipif("parquet" not in HERE, reason="needs pyarrow")
def test_parquet_has_fixed_columns_and_names_their_version() -> None:
    from pyarrow import parquet

    _, folder = write([vulnerability(3), {"Unknown": [1]}], "parquet")
    table = parquet.read_table(io.BytesIO(folder["part-00000.parquet"]))
    assert table.column_names == [*Row._fields, "raw"]
    assert table.schema.metadata[b"aegis.columns_version"] == b"1"
    assert {str(field.type) for field in table.schema} == {"string", "int64"}
    assert table.to_pylist()[0] == {
        **FIELDS_USED.row(vulnerability(3))._asdict(),
        "raw": encode(vulnerability(3)).decode(),
    }


def test_csv_has_stable_columns_and_opens_in_excel() -> None:
    _, folder = write([vulnerability(3)], "csv")
    data = folder["part-00000.csv"]
    assert data.startswith(b"\xef\xbb\xbfaccount_id,finding_key,")
    [row] = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    assert row == {name: str(value) for name, value in FIELDS_USED.row(vulnerability(3))._asdict().items()}


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_runs_no_cell_of_a_csv(text: str) -> None:
    _, folder = write([vulnerability(AliasName=text)], "csv")
    [row] = csv.DictReader(io.StringIO(folder["part-00000.csv"].decode("utf-8-sig"), newline=""))
    assert row["title"] == f"'{text}"


def test_a_csv_ends_where_excel_would_cut_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "csv", writers.Format(writers.Csv, most_records=3))
    parts, _ = write([vulnerability(number) for number in range(7)], "csv")
    assert [part.records for part in parts] == [3, 3, 1]


@pytest.mark.parametrize("file_format", HERE)
def test_a_read_that_fails_leaves_no_part(file_format: str) -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield vulnerability()
        raise OSError("page lost")

    folder, left = Folder(), list[tuple[io.BytesIO, bytes]]()

    @contextmanager
    def open_part(name: str) -> Iterator[BinaryIO]:
        with folder.open(name) as file:
            try:
                yield file
            except OSError:
                left.append((cast("io.BytesIO", file), cast("io.BytesIO", file).getvalue()))
                raise

    with pytest.raises(OSError, match="page lost"):
        write_parts(records(), open_part, file_format=file_format, fields=FIELDS_USED)
    assert not folder
    # An encoder that is collected writes what it has left; the file is given up by then.
    gc.collect()
    [(file, then)] = left
    assert file.getvalue() == then


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_document_for_defectdojo_is_one_list_of_findings(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "json", writers.Format(writers.Document, most_records=3))
    records = [{"title": str(each)} for each in range(number)]
    parts, folder = write(records, "json", shape="defectdojo")
    documents = [json.loads(folder[part.name]) for part in parts]
    assert [list(document) for document in documents] == [["findings"]] * len(parts)
    assert [one for document in documents for one in document["findings"]] == records
    assert all(part.records <= 3 for part in parts)


@pytest.mark.parametrize(
    ("file_format", "shape", "text"),
    [
        ("xlsx", "api", r"file_format='xlsx' is not.*jsonl, jsonl\.gz, jsonl\.zst, parquet, csv\."),
        ("json", "api", r"file_format='json' is not a format of shape='api'"),
        ("parquet", "ocsf", r"'parquet' is not a format of shape='ocsf'. Use one of: jsonl, jsonl\.gz, jsonl\.zst\."),
        ("jsonl", "defectdojo", r"Use one of: json\."),
        ("jsonl", "asff", r"shape='asff' is not a shape. Use one of: api, ocsf, defectdojo\."),
    ],
)
def test_a_format_that_cannot_be_is_refused_and_those_that_can_be_named(
    file_format: str, shape: str, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        check_format(file_format, shape)


@pytest.mark.parametrize(
    ("file_format", "module", "extra"), [("parquet", "pyarrow", "parquet"), ("jsonl.zst", "zstandard", "zstd")]
)
def test_a_missing_extra_is_named_before_anything_is_written(
    file_format: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "find_spec", lambda name: None if name == module else find_spec(name))
    folder, asked = Folder(), iter([vulnerability()])
    with pytest.raises(ConfigurationError, match=rf"Install airflow-provider-aegis\[{extra}\]"):
        write_parts(asked, folder.open, file_format=file_format, fields=FIELDS_USED)
    assert not folder
    assert next(asked)


def test_formats_that_need_an_extra_do_not_load_it_for_others() -> None:
    code = "import sys, airflow_provider_aegis.findings.writers; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"pyarrow", "zstandard", "duckdb", "airflow", "jinja2"}.intersection(loaded)


@contextmanager
def nowhere(name: str) -> Iterator[BinaryIO]:
    class Nowhere(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            return len(data)

    yield Nowhere()  # type: ignore[misc]


def peak(file_format: str, records: int) -> int:
    tracemalloc.start()
    write_parts(
        (vulnerability(number) for number in range(records)), nowhere, file_format=file_format, fields=FIELDS_USED
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("file_format", HERE)
def test_memory_does_not_grow_with_the_records(file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "ROW_GROUP", 200)
    peak(file_format, 300)
    assert peak(file_format, 4_000) < 1.3 * peak(file_format, 800) + 100_000
