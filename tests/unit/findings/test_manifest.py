"""Manifest: its file says all, and whatever is cut, swapped or edited in a chain is named."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import fields, replace
from typing import Any, BinaryIO

import pytest

from airflow_provider_aegis.findings.manifest import (
    Manifest,
    ManifestError,
    Previous,
    SkippedAccount,
    digest,
    read_manifest,
    verify,
)
from airflow_provider_aegis.findings.writers import Part

PART = b'{"Name":"CVE-2026-1"}\n'


def part(name: str = "part-a-00000.jsonl", data: bytes = PART) -> Part:
    return Part(name=name, sha256=hashlib.sha256(data).hexdigest(), records=1, bytes=len(data))


def manifest(day: int = 1, previous: Manifest | None = None, **changes: Any) -> Manifest:
    known: dict[str, Any] = {
        "uri": f"s3://lake/dt={day}/_manifest.json",
        "owner": f"dag/run-{day}/export/-1",
        "created_ms": 1_760_000_000_000 + day,
        "findings": "vulnerabilities",
        "file_format": "jsonl",
        "shape": "api",
        "parts": (part(),),
        "records": 1,
        "pages": 1,
        "duplicates": 2,
        "claimed_total": 3,
        "request_ids": ("A-1", "A-2"),
        "accounts": ("1001", "1002"),
        "skipped_accounts": (SkippedAccount(account="1003", reason="FreeVersionNotPermit"),),
        "once_task_id": "task-1",
        "previous": Previous(uri=previous.uri, sha256=previous.sha256) if previous else None,
    }
    return Manifest(**{**known, **changes})


class Store(dict[str, bytes]):
    """Three exports in a chain."""

    def __init__(self) -> None:
        super().__init__()
        first = manifest(1)
        second = manifest(2, first)
        self.manifests = [first, second, manifest(3, second)]
        for one in self.manifests:
            self[one.uri] = one.to_json()
            self[one.part_uri(one.parts[0])] = PART

    def open(self, uri: str) -> BinaryIO:
        if uri not in self:
            raise FileNotFoundError(uri)
        return io.BytesIO(self[uri])

    def problems(self) -> list[str]:
        return [str(problem) for problem in verify(self.manifests[-1].uri, self.open)]


def test_a_manifest_comes_back_as_it_was() -> None:
    one = manifest(2, manifest(1))
    assert read_manifest(one.to_json(), uri=one.uri) == one


def test_the_file_has_each_field_its_schema_and_its_own_hash() -> None:
    document = json.loads(manifest().to_json())
    assert document.keys() == {field.name for field in fields(Manifest)} | {"schema_version", "sha256"}
    assert document["schema_version"] == 1
    assert document.pop("sha256") == manifest().sha256 == digest(document)


def test_the_hash_does_not_depend_on_how_the_file_is_laid_out() -> None:
    one = manifest()
    assert read_manifest(json.dumps(json.loads(one.to_json())).encode(), uri="x") == one


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"{}", b'"text"', b"\xff\xfe", manifest().to_json()[:-20]])
def test_what_is_no_manifest_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ManifestError, match=r"s3://lake/_manifest\.json is not a manifest"):
        read_manifest(data, uri="s3://lake/_manifest.json")


def test_a_newer_schema_is_refused_by_name() -> None:
    with pytest.raises(ManifestError, match=r"lake/m has schema version 2, and this version of the provider reads 1"):
        read_manifest(b'{"schema_version": 2}', uri="lake/m")


@pytest.mark.parametrize("field", [field.name for field in fields(Manifest)])
def test_an_edit_of_any_field_is_noticed(field: str) -> None:
    document = json.loads(manifest(2, manifest(1)).to_json())
    document[field] = "edited"
    with pytest.raises(ManifestError, match="was changed after it was written"):
        read_manifest(json.dumps(document).encode(), uri="m")


@pytest.mark.parametrize("field", ["parts", "uri", "request_ids"])
def test_a_manifest_without_a_field_is_refused(field: str) -> None:
    document = json.loads(manifest().to_json())
    del document[field], document["sha256"]
    with pytest.raises(ManifestError, match="has not the fields of a manifest"):
        read_manifest(json.dumps({**document, "sha256": digest(document)}).encode(), uri="m")


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "/etc/passwd", "a\\b", "sub/part"])
def test_a_part_outside_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ManifestError, match="is not a file beside it"):
        read_manifest(manifest(parts=(part(name),)).to_json(), uri="m")


def test_a_size_that_is_no_number_is_refused() -> None:
    wrong: dict[str, Any] = {"bytes": "many"}
    with pytest.raises(ManifestError, match="not a number"):
        read_manifest(manifest(parts=(replace(part(), **wrong),)).to_json(), uri="m")


def test_the_summary_stays_small_and_has_no_records() -> None:
    many = manifest(
        parts=tuple(part(f"part-{number}") for number in range(1000)),
        request_ids=tuple(f"id-{number}" for number in range(10_000)),
        accounts=tuple(str(number) for number in range(1000)),
    )
    summary = many.summary()
    assert len(json.dumps(summary)) < 700
    assert (summary["records"], summary["parts"], summary["accounts"], summary["sha256"]) == (
        1,
        1000,
        1000,
        many.sha256,
    )


def test_a_whole_chain_has_no_problem() -> None:
    assert Store().problems() == []


def test_every_export_of_the_chain_is_read() -> None:
    store, opened = Store(), list[str]()

    def open_file(uri: str) -> BinaryIO:
        opened.append(uri)
        return store.open(uri)

    assert not list(verify(store.manifests[-1].uri, open_file))
    assert sorted(opened) == sorted(store)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "the part is missing"),
        (PART[:-1], f"the part is cut off: {len(PART) - 1} of {len(PART)} bytes"),
        (PART + b"x", f"the part is longer than the {len(PART)} bytes"),
        (PART.replace(b"1", b"2"), "the part was changed"),
    ],
)
@pytest.mark.parametrize("day", [1, 3])
def test_a_damaged_part_is_named(data: bytes | None, text: str, day: int) -> None:
    store = Store()
    uri = f"s3://lake/dt={day}/part-a-00000.jsonl"
    del store[uri]
    if data is not None:
        store[uri] = data
    [problem] = store.problems()
    assert problem.startswith(f"{uri}: {text}")


def test_a_part_without_end_is_not_read_to_its_end() -> None:
    class Endless(io.RawIOBase):
        reads = 0

        def read(self, size: int = -1) -> bytes:
            self.reads += 1
            return b"x" * size

    store, endless = Store(), Endless()
    problems = list(verify(store.manifests[0].uri, lambda uri: endless if "part" in uri else store.open(uri)))  # type: ignore[arg-type,return-value]
    assert "longer" in problems[0].text
    assert endless.reads == 1


def test_a_missing_manifest_in_the_chain_is_named() -> None:
    store = Store()
    del store["s3://lake/dt=2/_manifest.json"]
    assert store.problems() == ["s3://lake/dt=2/_manifest.json: the manifest is missing"]


def test_a_manifest_that_was_written_anew_is_noticed_by_the_next() -> None:
    store = Store()
    forged = replace(store.manifests[1], duplicates=0)
    store[forged.uri] = forged.to_json()
    assert store.problems() == [f"{forged.uri}: the manifest was replaced: the one after it names another hash"]


def test_a_count_that_the_parts_do_not_have_is_named() -> None:
    store = Store()
    wrong = replace(store.manifests[2], records=7)
    store[wrong.uri] = wrong.to_json()
    assert store.problems() == [f"{wrong.uri}: the parts do not have the 7 records that the manifest names"]


def test_a_chain_that_leads_back_to_itself_ends() -> None:
    store = Store()
    looped = replace(store.manifests[0], previous=Previous(uri=store.manifests[2].uri, sha256="0"))
    store[looped.uri] = looped.to_json()
    assert any("leads back to itself" in problem for problem in store.problems())


def test_an_export_that_was_moved_is_verified_where_it_is() -> None:
    store = Store()
    moved = {uri.replace("s3://lake/dt=1", "file:///backup"): data for uri, data in store.items() if "dt=1" in uri}
    store.clear()
    store.update(moved)
    assert list(verify("file:///backup/_manifest.json", store.open)) == []
