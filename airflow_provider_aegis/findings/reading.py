"""The records of an export, read part by part, each checked against the manifest before any of it is used."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.manifest import MANIFEST_NAME, Manifest, ManifestError, hash_part, read_manifest
from airflow_provider_aegis.findings.storage import Folder
from airflow_provider_aegis.findings.writers import Part

Record = Mapping[str, Any]


def open_export(uri: str, storage: Callable[[str], Any] = str) -> tuple[Folder, Manifest]:
    """Read the manifest of an export.

    :param uri: its address.
    :param storage: makes what :class:`Folder` takes of the address of the folder.
    :raises ConfigurationError: if there is no manifest, or one that cannot be used.
    """
    root, _, name = uri.rpartition("/")
    folder = Folder(storage(root))
    data = folder.read(name) if name == MANIFEST_NAME else None
    if data is None:
        raise ConfigurationError(f"{uri!r:.200} is not the address of an export's {MANIFEST_NAME}.")
    try:
        return folder, read_manifest(data, uri=uri)
    except ManifestError as error:
        raise ConfigurationError(f"{uri!r:.200} cannot be used: {error}") from error


def read_records(folder: Folder, manifest: Manifest) -> Iterator[Record]:
    """Return the records of an export, in constant memory; a part at a time is on the local disk.

    :raises ConfigurationError: if it has another shape than the API's, or a format without whole records.
    :raises ManifestError: if a part is not what the manifest says.
    """
    if manifest.shape != "api" or manifest.file_format not in FORMATS:
        raise ConfigurationError(
            f"{manifest.uri} has shape={manifest.shape!r} and file_format={manifest.file_format!r}. "
            f"Export with shape='api' and one of: {', '.join(FORMATS)}."
        )
    for part in manifest.parts:
        with TemporaryDirectory(prefix="aegis-") as temporary:
            path = Path(temporary) / "part"
            _copy(folder, part, path, manifest.uri)
            yield from FORMATS[manifest.file_format](path)


def _copy(folder: Folder, part: Part, target: Path, uri: str) -> None:
    try:
        with folder.open_read(part.name) as source, target.open("xb") as copy:
            _, sha256 = hash_part(source, part, copy.write)
    except FileNotFoundError as error:
        raise ManifestError(f"{uri} names {part.name}, which is not there.") from error
    if sha256 != part.sha256:
        raise ManifestError(f"{part.name} is not the part that {uri} names: it has another hash.")


def _plain(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        yield from map(json.loads, file)


def _gzip(path: Path) -> Iterator[Record]:
    with gzip.open(path) as file:
        yield from map(json.loads, cast("BinaryIO", file))


def _zstd(path: Path) -> Iterator[Record]:
    import io

    import zstandard

    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        yield from map(json.loads, io.TextIOWrapper(stream, "utf-8"))


def _parquet(path: Path) -> Iterator[Record]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(path).iter_batches(columns=["raw"]):
        yield from map(json.loads, batch.column(0).to_pylist())


FORMATS: dict[str, Callable[[Path], Iterator[Record]]] = {
    "jsonl": _plain,
    "jsonl.gz": _gzip,
    "jsonl.zst": _zstd,
    "parquet": _parquet,
}
