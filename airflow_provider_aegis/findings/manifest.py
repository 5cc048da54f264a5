"""What an export consists of, and the proof that it is whole.

``_manifest.json`` is written last: an export without one is none. It names every part with its SHA-256, the hash of the
manifest before it, and carries its own. So a chain of manifests shows what was cut, swapped or edited: a part against
its manifest, a manifest against its own hash, and one that was written anew against the next in the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, BinaryIO

from airflow_provider_aegis.findings.writers import Part

MANIFEST_NAME = "_manifest.json"
SCHEMA_VERSION = 1
LARGEST_MANIFEST_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024


class ManifestError(ValueError):
    """A manifest that cannot be used; the text names it and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The manifest of the export before."""

    uri: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedAccount:
    """An account that could not be read."""

    account: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One export.

    :param uri: where the manifest is; its parts are beside it.
    :param owner: what is the same for all tries of one export, and for no other export.
    :param created_ms: when it was finished, in epoch milliseconds.
    :param records: how many records the parts have together.
    :param pages: how many pages were read for them.
    :param duplicates: records that came twice and were left out.
    :param claimed_total: how many records the service said there were, ``None`` where it did not.
    :param accounts: the accounts that were read; empty for the connection's own.
    :param columns_version: version of the columns of Parquet and CSV.
    """

    uri: str
    owner: str
    created_ms: int
    findings: str
    file_format: str
    shape: str
    parts: tuple[Part, ...]
    records: int
    pages: int = 0
    duplicates: int = 0
    claimed_total: int | None = None
    request_ids: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    skipped_accounts: tuple[SkippedAccount, ...] = ()
    once_task_id: str = ""
    columns_version: int = 1
    previous: Previous | None = None

    def to_json(self) -> bytes:
        """Return the file's bytes; equal manifests give equal bytes."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return json.dumps({**document, "sha256": digest(document)}, indent=1, sort_keys=True).encode() + b"\n"

    @property
    def sha256(self) -> str:
        """The hash that the file names as its own, and the next manifest as its predecessor's."""
        return digest({"schema_version": SCHEMA_VERSION, **asdict(self)})

    def part_uri(self, part: Part) -> str:
        """Return where a part is."""
        return f"{self.uri.rpartition('/')[0]}/{part.name}"

    def summary(self) -> dict[str, Any]:
        """Return what fits an XCom: a few hundred bytes however many parts, requests and accounts there are."""
        return {
            "uri": self.uri,
            "sha256": self.sha256,
            "findings": self.findings,
            "file_format": self.file_format,
            "shape": self.shape,
            "records": self.records,
            "parts": len(self.parts),
            "bytes": sum(part.bytes for part in self.parts),
            "duplicates": self.duplicates,
            "claimed_total": self.claimed_total,
            "accounts": len(self.accounts),
            "skipped_accounts": len(self.skipped_accounts),
            "created_ms": self.created_ms,
            "previous_uri": self.previous.uri if self.previous else None,
        }


def digest(document: Mapping[str, Any]) -> str:
    """Return the hash of a document without regard to how it is laid out."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_manifest(data: bytes, *, uri: str) -> Manifest:
    """Read a manifest's bytes.

    :param uri: where they come from, for the error.
    :raises ManifestError: if it is cut, edited, of a newer version, or names a part outside its folder.
    """
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise ManifestError(f"{uri} is not a manifest: it is cut off, or was not written by this provider.")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ManifestError(
            f"{uri} has schema version {version!r}, and this version of the provider reads {SCHEMA_VERSION}. "
            f"Read it with the version of the provider that wrote it, or a later one."
        )
    named = document.pop("sha256", None)
    if named != digest(document):
        raise ManifestError(f"{uri} was changed after it was written: its hash is not the one that it names.")
    del document["schema_version"]
    return _manifest_of(document, uri)


def _manifest_of(document: dict[str, Any], uri: str) -> Manifest:
    try:
        manifest = Manifest(
            **{
                **document,
                "parts": tuple(Part(**part) for part in document["parts"]),
                "request_ids": tuple(document["request_ids"]),
                "accounts": tuple(document["accounts"]),
                "skipped_accounts": tuple(SkippedAccount(**one) for one in document["skipped_accounts"]),
                "previous": Previous(**document["previous"]) if document["previous"] else None,
            }
        )
    except (TypeError, KeyError) as error:
        names = ", ".join(field.name for field in fields(Manifest))
        raise ManifestError(f"{uri} has not the fields of a manifest ({names}): {error}") from error
    if not all(type(one) is int for part in manifest.parts for one in (part.records, part.bytes)):
        raise ManifestError(f"{uri} has a part whose records or bytes are not a number.")
    for part in manifest.parts:
        if not part.name or "/" in part.name or "\\" in part.name or part.name in (".", ".."):
            raise ManifestError(f"{uri} names the part {part.name!r}, which is not a file beside it.")
    return manifest


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file of an export."""

    uri: str
    text: str

    def __str__(self) -> str:
        return f"{self.uri}: {self.text}"


Open = Callable[[str], BinaryIO]


def verify(uri: str, open_file: Open) -> Iterator[Problem]:
    """Read an export and all those before it, and yield what is wrong; nothing, if all are whole.

    :param uri: of a manifest.
    :param open_file: opens a file by its uri for reading, and raises FileNotFoundError if there is none.
    """
    expected, seen = "", set[str]()
    while uri not in seen:
        seen.add(uri)
        try:
            with open_file(uri) as file:
                manifest = read_manifest(file.read(LARGEST_MANIFEST_BYTES), uri=uri)
        except FileNotFoundError:
            yield Problem(uri, "the manifest is missing")
            return
        except ManifestError as error:
            yield Problem(uri, str(error))
            return
        if expected and manifest.sha256 != expected:
            yield Problem(uri, "the manifest was replaced: the one after it names another hash")
        # An export that was moved as a whole has its parts beside its manifest all the same.
        here = uri.rpartition("/")[0]
        for part in manifest.parts:
            if problem := verify_part(f"{here}/{part.name}", part, open_file):
                yield problem
        if sum(part.records for part in manifest.parts) != manifest.records:
            yield Problem(uri, f"the parts do not have the {manifest.records} records that the manifest names")
        if manifest.previous is None:
            return
        uri, expected = manifest.previous.uri, manifest.previous.sha256
    yield Problem(uri, "the chain of manifests leads back to itself")


def verify_part(uri: str, part: Part, open_file: Open) -> Problem | None:
    """Compare one part with what its manifest says, in constant memory.

    :return: what is wrong, ``None`` if nothing is.
    """
    try:
        with open_file(uri) as file:
            size, sha256 = hash_part(file, part)
    except FileNotFoundError:
        return Problem(uri, "the part is missing")
    if size > part.bytes:
        return Problem(uri, f"the part is longer than the {part.bytes} bytes that its manifest names")
    if size < part.bytes:
        return Problem(uri, f"the part is cut off: {size} of {part.bytes} bytes")
    if sha256 != part.sha256:
        return Problem(uri, "the part was changed: its hash is not the one that its manifest names")
    return None


def hash_part(file: BinaryIO, part: Part, keep: Callable[[bytes], object] = len) -> tuple[int, str]:
    """Read a part's file, and no more than a chunk past the part's end: a file that was swapped may be of any size.

    :param keep: is given each chunk.
    :return: how many bytes were read, and their SHA-256.
    """
    sha256, size = hashlib.sha256(), 0
    while size <= part.bytes and (chunk := file.read(CHUNK_BYTES)):
        sha256.update(chunk)
        size += len(chunk)
        keep(chunk)
    return size, sha256.hexdigest()
