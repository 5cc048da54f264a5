"""Records into part files, one pass, in constant memory.

A part is hashed and counted while it is written. JSON Lines keep a record as the API gave it; Parquet and CSV have the
columns of :class:`~airflow_provider_aegis.findings.fields.Row`, and Parquet the whole record as JSON text in ``raw``.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, BinaryIO, Protocol, cast

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.fields import COLUMNS_VERSION, Fields, Row

Record = Mapping[str, Any]
PART_BYTES = 500_000_000
# More rows than this Excel cuts off; the first row has the names.
CSV_RECORDS = 1_048_575
# DefectDojo reads a document as a whole.
DOCUMENT_RECORDS = 10_000
# With 5,000 rows in a group memory stays below 60 MB; 20,000 would need 100 MB for files that are 10 % smaller.
ROW_GROUP = 5_000
INTEGER_COLUMNS = ("severity_id", "first_seen_ms", "last_seen_ms")
BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One finished part file.

    :param name: file name, without a folder.
    """

    name: str
    sha256: str
    records: int
    bytes: int


class HashingFile(io.RawIOBase):
    """Passes on what is written, and counts and hashes it; closing it leaves the file below open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0
        # Set when a part is given up: an encoder that is collected later still writes its end.
        self.abandoned = False

    def writable(self) -> bool:
        """Say that it can be written to, which ``io`` and Arrow ask."""
        return True

    def write(self, data: Any) -> int:
        """Pass the bytes on."""
        view = memoryview(data).cast("B")
        if not self.abandoned:
            self._file.write(view)
            self._hash.update(view)
            self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size

    def hexdigest(self) -> str:
        """Return the SHA-256 of all that was written."""
        return self._hash.hexdigest()


class Encoder(Protocol):
    """Writes records into one file."""

    def write(self, record: Record) -> None:
        """Take one record."""

    def close(self) -> None:
        """Write what is left, with the end of the format; the file below stays open."""


def encode(record: Record) -> bytes:
    """Return a record as JSON, in UTF-8 and on one line."""
    try:
        return _fast_encode(record)
    except UnicodeEncodeError:  # half a surrogate pair: no text, and engines refuse the whole file for it
        return valid(json.dumps(record, ensure_ascii=False, separators=(",", ":"))).encode()


def valid(text: str) -> str:
    """Return a text with a replacement character for each half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain_encode(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


try:  # Airflow 3 brings it: 8 times as fast as json
    import msgspec

    _fast_encode: Callable[[Record], bytes] = msgspec.json.Encoder().encode
except ImportError:  # pragma: no cover
    _fast_encode = _plain_encode


class JsonLines:
    """One JSON document a line, compressed or not."""

    def __init__(self, file: BinaryIO, _fields: Fields) -> None:
        # One small write for each record costs more than to encode it.
        self._file = io.BufferedWriter(cast("io.RawIOBase", self._compressed(file)), BUFFER_BYTES)

    def _compressed(self, file: BinaryIO) -> BinaryIO:
        return file

    def write(self, record: Record) -> None:
        """Take one record."""
        self._file.write(encode(record) + b"\n")

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class Document(JsonLines):
    """One JSON document with all findings in a list, which DefectDojo imports."""

    def __init__(self, file: BinaryIO, fields: Fields) -> None:
        super().__init__(file, fields)
        self._before = b'{"findings":[\n'

    def write(self, record: Record) -> None:
        """Take one record."""
        self._file.write(self._before + encode(record))
        self._before = b",\n"

    def close(self) -> None:
        """Write what is left."""
        self._file.write((b"" if self._before.startswith(b",") else self._before) + b"]}\n")
        super().close()


class GzipJsonLines(JsonLines):
    """The same with gzip; neither name nor time in its header, so that equal records give equal files."""

    def _compressed(self, file: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0))


class ZstdJsonLines(JsonLines):
    """The same with Zstandard."""

    def _compressed(self, file: BinaryIO) -> BinaryIO:
        import zstandard

        return cast("BinaryIO", zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False))


class Parquet:
    """The columns of a row and ``raw``, compressed with Zstandard."""

    def __init__(self, file: BinaryIO, fields: Fields) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._pa, self._row = pa, fields.row
        # The default pool keeps what it was given; the system's gives it back.
        self._pool = pa.system_memory_pool()
        self._schema = parquet_schema()
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(file, mode="w"), self._schema, compression="zstd", memory_pool=self._pool
        )
        self._rows: list[tuple[Any, ...]] = []

    def write(self, record: Record) -> None:
        """Take one record."""
        self._rows.append((*self._row(record), encode(record)))
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = [
                self._array(column, field)
                for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(self._pa.Table.from_arrays(columns, schema=self._schema))
            self._rows.clear()

    def _array(self, column: tuple[Any, ...], field: Any) -> Any:
        try:
            return self._pa.array(column, field.type, memory_pool=self._pool)
        except UnicodeEncodeError:  # see encode()
            return self._pa.array([valid(text) for text in column], field.type, memory_pool=self._pool)

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._writer.close()


def parquet_schema() -> Any:
    """Return the Arrow schema of the Parquet files; its metadata names the version of the columns."""
    import pyarrow as pa

    types = [(name, pa.int64() if name in INTEGER_COLUMNS else pa.string()) for name in (*Row._fields, "raw")]
    return pa.schema(types, metadata={"aegis.columns_version": str(COLUMNS_VERSION)})


class Csv:
    """The columns of a row for people: UTF-8 with a mark by which Excel knows it."""

    def __init__(self, file: BinaryIO, fields: Fields) -> None:
        self._row = fields.row
        buffered = io.BufferedWriter(cast("io.RawIOBase", file), BUFFER_BYTES)
        buffered.write(BOM_UTF8)
        self._file = io.TextIOWrapper(buffered, "utf-8", errors="replace", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(Row._fields)

    def write(self, record: Record) -> None:
        """Take one record."""
        self._csv.writerow([harmless(value) for value in self._row(record)])

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


def harmless(value: Any) -> Any:
    """Keep a spreadsheet from running a cell: a file's or a process's name is the attacker's to choose."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


@dataclass(frozen=True, slots=True)
class Format:
    """One value of ``file_format``.

    :param needs: the module that it cannot do without, and the extra that brings it.
    """

    encoder: Callable[[BinaryIO, Fields], Encoder]
    needs: tuple[str, str] | None = None
    most_records: int | None = None


FORMATS = {
    "jsonl": Format(JsonLines),
    "jsonl.gz": Format(GzipJsonLines),
    "jsonl.zst": Format(ZstdJsonLines, needs=("zstandard", "zstd")),
    "parquet": Format(Parquet, needs=("pyarrow", "parquet")),
    "csv": Format(Csv, most_records=CSV_RECORDS),
    "json": Format(Document, most_records=DOCUMENT_RECORDS),
}
JSON_LINES = ("jsonl", "jsonl.gz", "jsonl.zst")
# What a record is written as, and the formats that can hold it.
SHAPES = {"api": (*JSON_LINES, "parquet", "csv"), "ocsf": JSON_LINES, "defectdojo": ("json",)}


def check_format(file_format: str, shape: str = "api") -> None:
    """See that records can be written so, before anything is asked or written.

    :raises ConfigurationError: if there is no such shape or format, if they do not go together, or if what the format
        needs is not installed.
    """
    if shape not in SHAPES:
        raise ConfigurationError(f"shape={shape!r} is not a shape. Use one of: {', '.join(SHAPES)}.")
    if file_format not in SHAPES[shape]:
        raise ConfigurationError(
            f"file_format={file_format!r} is not a format of shape={shape!r}. Use one of: {', '.join(SHAPES[shape])}."
        )
    if (needs := FORMATS[file_format].needs) and find_spec(needs[0]) is None:
        raise ConfigurationError(
            f"file_format={file_format!r} needs the package {needs[0]}. "
            f"Install airflow-provider-aegis[{needs[1]}], or use file_format='jsonl.gz'."
        )


def write_parts(
    records: Iterable[Record],
    open_part: Callable[[str], AbstractContextManager[BinaryIO]],
    *,
    file_format: str,
    fields: Fields,
    shape: str = "api",
    prefix: str = "part",
    part_bytes: int = PART_BYTES,
) -> list[Part]:
    """Write records into as many part files as they need; without any record into one that has none.

    :param open_part: given a file's name, opens it for writing; an exception inside must leave no such file.
    :param shape: what the records are; that they are it is up to the caller.
    :param part_bytes: a part is closed after the record with which it has grown to this size, in bytes on disk.
    :raises ConfigurationError: see :func:`check_format`.
    """
    check_format(file_format, shape)
    rest, parts = iter(records), list[Part]()
    record = next(rest, None)
    while record is not None or not parts:
        name = f"{prefix}-{len(parts):05d}.{file_format}"
        with open_part(name) as file:
            part, record = _write_part(name, file, record, rest, FORMATS[file_format], fields, part_bytes)
        parts.append(part)
    return parts


def _write_part(
    name: str,
    file: BinaryIO,
    record: Record | None,
    rest: Iterator[Record],
    form: Format,
    fields: Fields,
    part_bytes: int,
) -> tuple[Part, Record | None]:
    hashing = HashingFile(file)
    count = 0
    try:
        encoder = form.encoder(cast("BinaryIO", hashing), fields)
        while record is not None:
            encoder.write(record)
            count += 1
            record = next(rest, None)
            if hashing.size >= part_bytes or count == form.most_records:
                break
        encoder.close()
    except BaseException:
        hashing.abandoned = True
        raise
    return Part(name=name, sha256=hashing.hexdigest(), records=count, bytes=hashing.size), record
