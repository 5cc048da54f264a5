"""Export: whole or not at all, whenever it is ended; a retry mixes no two tries; two at once are noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_aegis.findings import writers
from airflow_provider_aegis.findings.export import CLAIM_NAME, Export, ExportConflictError, ExportError
from airflow_provider_aegis.findings.manifest import MANIFEST_NAME, Manifest, read_manifest, verify
from airflow_provider_aegis.findings.storage import Folder
from tests.unit.findings.killed import RECORDS, Ended, write_export
from tests.unit.findings.test_storage import At, Uploads

TRIES = 20


def content(folder: Folder) -> list[dict[str, Any]] | None:
    """What a reader takes from a folder: nothing without a manifest, else all that it names, which must be whole."""
    data = folder.read(MANIFEST_NAME)
    if data is None:
        return None
    manifest = read_manifest(data, uri=folder.uri(MANIFEST_NAME))
    problems = list(verify(manifest.uri, lambda uri: folder.open_read(uri.rpartition("/")[2])))
    assert problems == []
    lines = [line for part in manifest.parts for line in (folder.read(part.name) or b"").splitlines()]
    return [json.loads(line) for line in lines]


def assert_finished(folder: Folder, manifest: Manifest) -> None:
    """See that the folder has the export and nothing else."""
    assert content(folder) == RECORDS
    assert sorted(folder.names()) == sorted([MANIFEST_NAME, *(part.name for part in manifest.parts)])


@pytest.fixture(autouse=True)
def _small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "BUFFER_BYTES", 400)


@pytest.fixture(params=["local", "memory", "uploads"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    MemoryFileSystem.store.clear()
    return {"local": tmp_path / "export", "memory": "memory://export", "uploads": At(Uploads(), "bucket/export")}[
        request.param
    ]


def test_an_export_has_a_manifest_and_its_parts(path: Any) -> None:
    manifest = write_export(path, RECORDS)
    assert len(manifest.parts) > 3
    assert (manifest.records, manifest.owner) == (60, "dag/run/export")
    assert manifest.uri == Folder(path).uri(MANIFEST_NAME)
    assert_finished(Folder(path), manifest)


def run_killed(folder: Path, mode: str, *moments: int) -> list[list[int]]:
    arguments = [sys.executable, "-m", "tests.unit.findings.killed", str(folder), mode, *map(str, moments)]
    output = subprocess.check_output(arguments, text=True, cwd=Path(__file__).parents[3])
    return [[int(word) for word in line.split()] for line in output.splitlines()]


@pytest.mark.parametrize(("mode", "code"), [("kill", 9), ("raise", 1)])
def test_whenever_an_export_is_ended_nobody_sees_half_and_the_retry_is_whole(
    mode: str, code: int, tmp_path: Path
) -> None:
    [[moments]] = run_killed(tmp_path, mode)
    chosen = sorted({*range(1, 6), *range(7, moments - 6, moments // TRIES), *range(moments - 6, moments + 1)})
    assert len(chosen) >= TRIES
    codes = run_killed(tmp_path, mode, *chosen)
    assert [moment for moment, _ in codes] == chosen
    # What fails after the manifest is there, while leftovers are cleared away, is no failure of the export.
    assert all(one == code for _, one in codes[:-6])
    seen = []
    for moment in chosen:
        folder = Folder(tmp_path / str(moment))
        seen.append(content(folder))
        assert seen[-1] in (None, RECORDS)
        assert_finished(folder, write_export(tmp_path / str(moment), RECORDS))
    assert seen[0] is None
    if mode == "kill":
        assert seen[-1] == RECORDS


@pytest.mark.parametrize("operation", ["put_file", "pipe_file", "rm_file", "info", "ls", "open"])
@pytest.mark.parametrize("call", [1, 2, 3, 5, 8])
def test_whatever_operation_fails_nobody_sees_half_and_the_retry_is_whole(
    operation: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    MemoryFileSystem.store.clear()
    original, calls = getattr(MemoryFileSystem, operation), 0

    def fail(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError("bucket is full")
        return original(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, operation, fail)
        try:
            write_export("memory://export", RECORDS)
        except (OSError, ExportError) as error:
            assert "bucket is full" in str(error)  # noqa: PT017
    assert content(Folder("memory://export")) in (None, RECORDS)
    assert_finished(Folder("memory://export"), write_export("memory://export", RECORDS))


def test_a_failed_export_leaves_nothing(path: Any) -> None:
    def records() -> Any:
        yield from RECORDS[:40]
        raise Ended

    with pytest.raises(Ended):
        write_export(path, records())
    assert Folder(path).names() == []


def test_a_manifest_that_may_have_arrived_keeps_its_parts(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Folder.create

    def lose_the_answer(self: Folder, name: str, data: bytes) -> bool:
        written = create(self, name, data)
        if name == MANIFEST_NAME:
            raise OSError("no answer")
        return written

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "create", lose_the_answer)
        with pytest.raises(OSError, match="no answer"):
            write_export(path, RECORDS)
    assert content(Folder(path)) == RECORDS
    assert_finished(Folder(path), write_export(path, []))


def test_a_manifest_that_was_written_although_the_store_says_it_was_there_already(
    path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Folder.create
    monkeypatch.setattr(Folder, "create", lambda self, name, data: create(self, name, data) and name != MANIFEST_NAME)
    assert_finished(Folder(path), write_export(path, RECORDS))


def test_a_retry_of_a_finished_export_reads_nothing(path: Any) -> None:
    manifest = write_export(path, RECORDS)
    assert write_export(path, iter(["not read"])) == manifest
    assert_finished(Folder(path), manifest)


def test_two_exports_into_one_folder_at_once_are_noticed_before_the_second_reads(path: Any) -> None:
    with Export(path, owner="dag/monday/export"):
        with pytest.raises(ExportConflictError, match=r"dag/monday/export is exporting to .*_export\.json"):
            write_export(path, iter(["not read"]), owner="dag/tuesday/export")
        assert Folder(path).names() == [CLAIM_NAME]
    write_export(path, RECORDS, owner="dag/tuesday/export")


def test_an_export_of_another_run_is_not_overwritten(path: Any) -> None:
    manifest = write_export(path, RECORDS, owner="dag/monday/export")
    with pytest.raises(ExportConflictError, match=r"is the export of dag/monday/export\. Give each"):
        write_export(path, [], owner="dag/tuesday/export")
    assert_finished(Folder(path), manifest)


NOTHING: dict[str, Any] = {
    "findings": "vulnerabilities",
    "file_format": "jsonl",
    "shape": "api",
    "parts": (),
    "records": 0,
}


def test_of_two_tries_at_once_the_one_that_was_taken_over_gives_up(path: Any) -> None:
    with Export(path, owner="dag/run/export") as slow:
        with slow.open_part(f"{slow.part_prefix}-00000.jsonl") as file:
            file.write(b"old")
        manifest = write_export(path, RECORDS)
        with pytest.raises(ExportConflictError, match="Another try took over"):
            slow.commit(**NOTHING)
    assert_finished(Folder(path), manifest)


def test_of_two_tries_that_both_hold_the_claim_one_manifest_stands(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Export(path, owner="dag/run/export") as slow:
        manifest = write_export(path, RECORDS)
        monkeypatch.setattr(slow, "_claimed", lambda: {"token": slow.token})
        with pytest.raises(ExportConflictError, match="was written by another export"):
            slow.commit(**NOTHING)
    assert_finished(Folder(path), manifest)


def test_a_retry_that_fails_leaves_the_parts_of_a_try_that_may_be_alive(tmp_path: Path) -> None:
    slow = Export(tmp_path, owner="dag/run/export").__enter__()
    name = f"{slow.part_prefix}-00000.jsonl"
    with slow.open_part(name) as file:
        file.write(b"slow")
    with pytest.raises(Ended), Export(tmp_path, owner="dag/run/export"):
        raise Ended
    assert (tmp_path / name).exists()
    assert_finished(Folder(tmp_path), write_export(tmp_path, RECORDS))


def test_a_part_of_another_try_cannot_be_written(path: Any) -> None:
    with Export(path, owner="a") as export, pytest.raises(ValueError, match="not this try's"):
        export.open_part("part-00000.jsonl")


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"Cannot write an export to file://.*/file/export"):
        write_export(tmp_path / "file" / "export", iter(["not read"]))


def test_a_broken_manifest_is_not_taken_for_an_export(path: Any) -> None:
    Folder(path).replace(MANIFEST_NAME, b'{"schema_version": 1, "ur')
    with pytest.raises(ExportError, match="is not a manifest"):
        write_export(path, iter(["not read"]))
