"""The gate judges an export by its findings, and says the counts, the worst, and where the export is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.compat import AirflowSkipException
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.exceptions import TooManyFindingsError
from airflow_provider_aegis.findings.manifest import ManifestError
from airflow_provider_aegis.operators.gate import AegisFindingsGateOperator
from airflow_provider_aegis.transfers.findings_to_object_storage import AegisFindingsToObjectStorageOperator
from tests.unit.airflow_task import FakeTask


@pytest.fixture
def export(sas: Emulator, task: FakeTask, tmp_path: Path) -> str:
    """The manifest of an export of vulnerabilities."""
    sas.set(findings=60)
    return written(task, tmp_path / "export")


def written(task: FakeTask, path: Path, **how: Any) -> str:
    known = {"task_id": "export", "findings": "vulnerabilities", "path": str(path)}
    summary: dict[str, Any] = task.run(lambda: AegisFindingsToObjectStorageOperator(**known | how))
    return str(summary["uri"])


def gate(task: FakeTask, manifest: str, max_allowed: Any, **how: Any) -> Any:
    known = {"task_id": "gate", "manifest": manifest, "max_allowed": max_allowed}
    return task.run(lambda: AegisFindingsGateOperator(**known | how))


def test_findings_within_what_is_allowed_are_counted(export: str, task: FakeTask) -> None:
    result = gate(task, export, {"asap": 10_000, "later": 10_000})
    assert not result["breached"]
    assert result["counts"]["asap"] > 0
    assert (result["breaches"], result["manifest"]) == ({}, export)
    json.dumps(result)


def test_too_many_fail_the_task_for_good_and_the_worst_are_named(export: str, task: FakeTask) -> None:
    there = gate(task, export, {"asap": 10_000})["counts"]["asap"]
    with pytest.raises(TooManyFindingsError) as caught:
        gate(task, export, {"asap": there - 1})
    assert f"{there} asap (allowed: {there - 1})" in str(caught.value)
    assert "The worst: " in str(caught.value)
    assert export in str(caught.value)
    assert not gate(task, export, {"asap": there})["breached"], "as many as may be"


def test_a_breach_can_skip_or_be_branched_on(export: str, task: FakeTask) -> None:
    with pytest.raises(AirflowSkipException, match="Too many findings"):
        gate(task, export, {"asap": 0}, on_breach="skip")
    result = gate(task, export, {"asap": 0}, on_breach="continue")
    assert result["breached"]
    assert result["breaches"]["asap"] == [result["counts"]["asap"], 0]
    assert len(result["worst"]) == 10


def test_what_is_allowed_for_a_time_does_not_count_and_what_expired_is_named(
    export: str, task: FakeTask, tmp_path: Path
) -> None:
    counts = gate(task, export, {"asap": 10_000})["counts"]
    (part,) = (Path(export.removeprefix("file://")).parent).glob("part-*.gz")
    name = json.loads(gzip.decompress(part.read_bytes()).splitlines()[0])["Name"]
    entry = {"name": name, "owner": "team", "reason": "no fix yet", "expires": "2999-01-01"}
    file = tmp_path / "allowed.json"
    file.write_text(json.dumps([entry]))
    result = gate(task, export, {"asap": 10_000}, allow_list=str(file))
    assert result["allowed"] > 0
    assert sum(result["counts"].values()) == sum(counts.values()) - result["allowed"]
    result = gate(task, export, {"asap": 10_000}, allow_list=[{**entry, "expires": "2020-01-01"}])
    assert (result["allowed"], result["counts"]) == (0, counts)
    assert "until 2020-01-01, owner team: no fix yet" in result["expired"][0]


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.zst", "parquet"])
def test_every_format_with_whole_records_can_be_judged(
    file_format: str, export: str, sas: Emulator, task: FakeTask, tmp_path: Path
) -> None:
    other = written(task, tmp_path / "other", file_format=file_format)
    limits = {"asap": 10_000}
    assert gate(task, other, limits)["counts"] == gate(task, export, limits)["counts"]


def test_a_part_that_was_changed_is_noticed(export: str, task: FakeTask) -> None:
    (part,) = (Path(export.removeprefix("file://")).parent).glob("part-*.gz")
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    with pytest.raises(ManifestError, match="has another hash"):
        gate(task, export, {"asap": 10_000})
    part.unlink()
    with pytest.raises(ManifestError, match="is not there"):
        gate(task, export, {"asap": 10_000})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"manifest": "/nowhere/_manifest.json"}, "/nowhere"),
        ({"manifest": "/nowhere/findings.json"}, "_manifest.json"),
        ({"max_allowed": {"urgent": 0}}, "urgencies: asap"),
        ({"max_allowed": {"asap": "none"}}, "max_allowed"),
        ({"max_allowed": {}}, "max_allowed"),
        ({"allow_list": "/nowhere/allowed.json"}, "allow_list"),
        ({"allow_list": [{"name": "CVE-1", "owner": "o", "reason": "r"}]}, "expires"),
    ],
)
def test_bad_arguments_are_named(how: dict[str, Any], words: str, export: str, task: FakeTask) -> None:
    with pytest.raises(ConfigurationError, match=words):
        gate(task, **{"manifest": export, "max_allowed": {"asap": 0}} | how)


def test_an_export_that_has_no_whole_records_is_refused(sas: Emulator, task: FakeTask, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Export with shape='api'"):
        gate(task, written(task, tmp_path, file_format="csv"), {"asap": 0})


def test_an_unknown_reaction_is_refused() -> None:
    with pytest.raises(ValueError, match="on_breach must be one of fail, skip, continue"):
        AegisFindingsGateOperator(task_id="g", manifest="m", max_allowed={}, on_breach="ignore")  # type: ignore[arg-type]
