"""Findings go into a folder whole or not at all, and the task's XCom says in short what is there."""

from __future__ import annotations

import gzip
import io
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, PermissionDeniedError
from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.exceptions import AccountsSkippedError
from airflow_provider_aegis.findings.export import ExportConflictError, ExportError
from airflow_provider_aegis.findings.manifest import verify
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.transfers.findings_to_object_storage import (
    AegisFindingsToObjectStorageOperator,
    progress,
)
from tests.unit.airflow_task import FakeTask


def export(task: FakeTask, path: Path | str, **how: Any) -> Any:
    known = {"task_id": "export", "findings": "vulnerabilities", "path": str(path)}
    return task.run(lambda: AegisFindingsToObjectStorageOperator(**known | how))


def lines(path: Path) -> list[Any]:
    """The records of an export's parts, in the order of the manifest."""
    manifest = json.loads((path / "_manifest.json").read_text())
    texts = [gzip.decompress((path / part["name"]).read_bytes()).decode() for part in manifest["parts"]]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_the_records_are_the_apis_and_the_manifest_says_what_is_there(
    sas: Emulator, task: FakeTask, tmp_path: Path
) -> None:
    sas.set(findings=150)
    summary = export(task, tmp_path / "out", once_task_id="scan-1")
    with AegisHook() as hook:
        assert lines(tmp_path / "out") == list(hook.read_findings("vulnerabilities"))
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert summary["records"] == manifest["records"] == len(lines(tmp_path / "out"))
    assert summary["uri"].endswith("/out/_manifest.json")
    assert manifest["once_task_id"] == "scan-1"
    assert len(manifest["request_ids"]) == manifest["pages"]
    assert len(json.dumps(summary)) < 1000
    assert list(verify(summary["uri"], lambda uri: io.BytesIO(Path(uri.removeprefix("file://")).read_bytes()))) == []


def test_a_set_without_findings_is_an_export_too(sas: Emulator, task: FakeTask, tmp_path: Path) -> None:
    sas.set(findings=0)
    assert export(task, tmp_path)["records"] == 0
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    ("how", "field"),
    [({"shape": "ocsf"}, "class_uid"), ({"shape": "defectdojo", "file_format": "json"}, "severity")],
)
def test_findings_are_written_in_the_shape_that_is_wanted(
    how: dict[str, Any], field: str, sas: Emulator, task: FakeTask, tmp_path: Path
) -> None:
    summary = export(task, tmp_path, **how)
    if how["shape"] == "ocsf":
        found = lines(tmp_path)
    else:
        (part,) = (path for path in tmp_path.iterdir() if path.suffix == ".json" and path.name != "_manifest.json")
        found = json.loads(part.read_text())["findings"]
    assert len(found) == summary["records"] > 0
    assert all(field in one for one in found)


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.zst", "parquet", "csv"])
def test_every_format_can_be_written(file_format: str, sas: Emulator, task: FakeTask, tmp_path: Path) -> None:
    assert export(task, tmp_path, file_format=file_format)["bytes"] > 0


def test_a_page_that_cannot_be_had_leaves_nothing(
    sas: Emulator, task: FakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sas.set(findings=500, page_limit=50)

    def reported(_: Any, found: Any) -> Any:
        for number, record in enumerate(found):
            if number == 120:
                sas.inject("DescribeVulList", Fault.error("NoPermission"))
            yield record

    with monkeypatch.context() as patch:
        patch.setattr(AegisFindingsToObjectStorageOperator, "_reported", reported)
        with pytest.raises(PermissionDeniedError):
            export(task, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert export(task, tmp_path / "out")["records"] > 500


def test_a_later_try_of_a_finished_export_reads_nothing_again(sas: Emulator, task: FakeTask, tmp_path: Path) -> None:
    first = export(task, tmp_path)
    before = sum(sas.requests.values())
    assert export(task, tmp_path) == first
    assert sum(sas.requests.values()) == before


def test_two_exports_do_not_share_a_folder(sas: Emulator, task: FakeTask, tmp_path: Path) -> None:
    (tmp_path / "_export.json").write_text(json.dumps({"owner": "another/run", "token": "t"}))
    with pytest.raises(ExportConflictError, match="another/run is exporting"):
        export(task, tmp_path)
    assert not sas.requests


def test_a_folder_that_cannot_be_written_is_noticed_before_the_first_request(
    sas: Emulator, task: FakeTask, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="Cannot write an export"):
        export(task, tmp_path / "file" / "folder")
    assert not sas.requests


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"findings": "vulnerability"}, "vulnerabilities"),
        ({"file_format": "xlsx"}, "file_format"),
        ({"shape": "sarif"}, "shape"),
        ({"findings": "assets", "shape": "ocsf"}, "assets"),
        ({"accounts": "everybody"}, "accounts"),
        ({"previous": "/nowhere/_manifest.json"}, "previous"),
    ],
)
def test_bad_arguments_are_named_before_the_first_request(
    how: dict[str, Any], words: str, sas: Emulator, task: FakeTask, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        export(task, tmp_path / "out", **how)
    assert not sas.requests
    assert not list(tmp_path.glob("out/part*"))


def test_an_unknown_choice_for_skipped_accounts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="on_skipped must be one of warn, fail"):
        AegisFindingsToObjectStorageOperator(
            task_id="e",
            findings="alerts",
            path=str(tmp_path),
            on_skipped="ignore",  # type: ignore[arg-type]
        )


def test_accounts_that_cannot_be_read_are_in_the_manifest_or_fail_the_task(
    sas: Emulator, task: FakeTask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sas.set(accounts=["1000000000000001", "1000000000000002"], denied_accounts=["1000000000000002"])
    with pytest.raises(AccountsSkippedError, match="1000000000000002"):
        export(task, tmp_path / "strict", accounts="all", on_skipped="fail")
    assert not (tmp_path / "strict" / "_manifest.json").exists()
    with caplog.at_level(logging.WARNING):
        summary = export(task, tmp_path / "lenient", accounts="all")
    assert "Account 1000000000000002 could not be read" in caplog.text
    assert summary["skipped_accounts"] == 1
    read = {record[ACCOUNT] for record in lines(tmp_path / "lenient")}
    assert "1000000000000001" in read
    assert "1000000000000002" not in read


def test_an_export_names_the_one_before(sas: Emulator, task: FakeTask, tmp_path: Path) -> None:
    first = export(task, tmp_path / "1")
    second = export(task, tmp_path / "2", previous=first["uri"])
    assert second["previous_uri"] == first["uri"]
    manifest = json.loads((tmp_path / "2" / "_manifest.json").read_text())
    assert manifest["previous"]["sha256"] == first["sha256"]


def test_an_outlet_gets_the_summary(
    sas: Emulator, task: FakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = SimpleNamespace(extra={})
    operator: Any = AegisFindingsToObjectStorageOperator(task_id="export", findings="alerts", path=str(tmp_path))
    monkeypatch.setattr(operator, "outlets", ["an asset"])
    summary = operator.execute({**task.context, "outlet_events": {"an asset": event}})
    assert event.extra == summary


def test_the_count_may_settle_first(
    sas: Emulator, task: FakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[str] = []

    def settle(_: AegisHook, name: str) -> str:
        looks.append(name)
        return "it stands still"

    monkeypatch.setattr(AegisHook, "settle_findings", settle)
    with caplog.at_level(logging.INFO):
        export(task, tmp_path, settle=True)
    assert looks == ["vulnerabilities"]
    assert "it stands still" in caplog.text


@pytest.mark.parametrize(
    ("records", "claimed", "said"),
    [
        (100, 400, "100 of 400 records; about 30 s left."),
        (100, None, "100 records so far."),
        (0, 400, "0 records so far."),
        (500, 400, "500 records so far."),
    ],
)
def test_progress_has_an_estimate_where_the_service_told_how_many(records: int, claimed: int | None, said: str) -> None:
    assert progress(records, claimed, 10.0) == said
