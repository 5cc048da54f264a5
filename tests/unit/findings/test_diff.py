"""Diff: what became of each finding, and that nothing counts as fixed where nobody looked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.findings import diff
from airflow_provider_aegis.findings.diff import NEW_KINDS, Ages, Change, Diff, check_diff
from airflow_provider_aegis.findings.diff_queries import Snapshot
from airflow_provider_aegis.findings.fields import FIELDS
from airflow_provider_aegis.findings.writers import write_parts
from tests.unit.findings.sample import SAMPLES, vulnerability

pytest.importorskip("duckdb", reason="the extra diff is not installed")

NOW = 1_764_000_000_000
DAY = 86_400_000
Records = Iterable[Mapping[str, Any]]


class Comparison:
    """Writes exports into a folder and compares them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file_format, self.exports = folder, "jsonl.gz", 0

    def snapshot(self, records: Records, findings: str = "vulnerabilities", created_ms: int = 0) -> Snapshot:
        self.exports += 1
        folder = self.folder / str(self.exports)
        folder.mkdir()

        def open_part(name: str) -> AbstractContextManager[BinaryIO]:
            return cast("AbstractContextManager[BinaryIO]", (folder / name).open("wb"))

        fields = FIELDS[findings]
        parts = write_parts(records, open_part, file_format=self.file_format, fields=fields, part_bytes=2_000)
        files = [str(folder / part.name) for part in parts]
        return Snapshot(files=files, file_format=self.file_format, fields=fields, created_ms=created_ms)

    def diff(
        self,
        previous: Records | None,
        current: Records,
        *,
        machines: Records | None = None,
        since_ms: int = 0,
        findings: str = "vulnerabilities",
        **options: Any,
    ) -> Diff:
        return Diff(
            None if previous is None else self.snapshot(previous, findings, since_ms),
            self.snapshot(current, findings),
            inventory=None if machines is None else self.snapshot(machines, "assets"),
            now_ms=NOW,
            temporary_folder=str(self.folder / "temporary"),
            **options,
        )

    def changes(self, *arguments: Any, **options: Any) -> list[Change]:
        with self.diff(*arguments, **options) as compared:
            changes = sorted(compared.changes(), key=lambda change: change.key)
            counts = compared.counts()
        for kind, by_urgency in counts.items():
            assert sum(by_urgency.values()) == sum(change.kind == kind for change in changes)
        return changes

    def kinds(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        return [(change.kind.value, change.reason) for change in self.changes(*arguments, **options)]


@pytest.fixture(params=["jsonl.gz", "parquet"])
def compare(request: pytest.FixtureRequest, tmp_path: Path) -> Comparison:
    if request.param == "parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    comparison = Comparison(tmp_path)
    comparison.file_format = request.param
    return comparison


@pytest.fixture
def lines(tmp_path: Path) -> Comparison:
    return Comparison(tmp_path)


OPEN, FIXED, WAIVED, ARCHIVED = {"Status": 1}, {"Status": 7}, {"Status": 10}, {"Status": 20}
GONE = None


def one(changes: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [] if changes is None else [vulnerability(3, **changes)]


# What it was, what it is, what became of it and why. All of them are compared at once, each on a machine of its own.
CASES: list[tuple[Any, Any, tuple[str, str] | None]] = [
    (GONE, OPEN, ("new", "")),
    (GONE, FIXED, None),
    (GONE, WAIVED, ("waived", "")),
    (OPEN, OPEN, None),
    (OPEN, FIXED, ("fixed", "")),
    (OPEN, ARCHIVED, ("fixed", "it was archived")),
    (OPEN, GONE, ("fixed", "it is gone")),
    (OPEN, WAIVED, ("waived", "")),
    (OPEN, {"Necessity": "later"}, ("better", "")),
    ({"Necessity": "nntf"}, {"Necessity": "later"}, ("worse", "")),
    ({"Necessity": "nntf"}, {"Necessity": "undocumented"}, ("better", "")),
    (OPEN, {"Status": 4}, None),
    (FIXED, OPEN, ("reopened", "")),
    (FIXED, {"Status": 11}, ("reopened", "")),
    (ARCHIVED, OPEN, ("reopened", "")),
    (WAIVED, OPEN, ("reopened", "it is no longer waived")),
    (FIXED, GONE, None),
    (WAIVED, GONE, None),
    (WAIVED, FIXED, None),
    (FIXED, WAIVED, ("waived", "")),
]


def became(changes: list[Change], field: str, names: Iterable[str]) -> list[tuple[str, str] | None]:
    """Return what became of the finding of each name; a name has one at most."""
    found = {str(change.record[field]): (change.kind.value, change.reason) for change in changes}
    assert len(found) == len(changes)
    return [found.get(name) for name in names]


def test_what_became_of_a_finding(compare: Comparison) -> None:
    machines = [f"m{number}" for number in range(len(CASES))]
    cases = dict(zip(machines, CASES, strict=True))
    before = [vulnerability(3, Uuid=machine, **was) for machine, (was, _, _) in cases.items() if was is not GONE]
    after = [vulnerability(3, Uuid=machine, **now) for machine, (_, now, _) in cases.items() if now is not GONE]
    assert became(compare.changes(before, after), "Uuid", machines) == [expected for _, _, expected in CASES]


def test_a_check_that_did_not_run_fixes_nothing(compare: Comparison) -> None:
    cases = {
        "1": ("NOT_PASS", "NOT_CHECK", ("unseen", "its check did not run")),
        "2": ("NOT_CHECK", "NOT_PASS", ("new", "")),
        "3": ("NOT_PASS", "PASS", ("fixed", "")),
        "4": ("PASS", "NOT_CHECK", None),
    }
    sample = SAMPLES["cloud_configuration"]
    sides = [[{**sample, "CheckId": check, "Status": case[side]} for check, case in cases.items()] for side in (0, 1)]
    changes = compare.changes(*sides, findings="cloud_configuration")
    assert became(changes, "CheckId", cases) == [expected for _, _, expected in cases.values()]


def test_a_finding_that_is_gone_was_fixed_only_if_its_machine_reported(compare: Comparison) -> None:
    fixed, silent = ("fixed", "it is gone"), ("unseen", "its machine did not report")
    cases: dict[str, tuple[list[dict[str, str]], tuple[str, str]]] = {
        "online": ([{"ClientStatus": "online"}], fixed),
        "offline": ([{"ClientStatus": "offline"}], silent),
        "no status": ([{}], silent),
        "unknown": ([], ("unseen", "its machine is not in the inventory")),
        "twice": ([{"ClientStatus": "offline"}, {"ClientStatus": "online"}], fixed),
    }
    inventory = [{"Uuid": uuid, **one} for uuid, (machines, _) in cases.items() for one in machines]
    changes = compare.changes([vulnerability(3, Uuid=uuid) for uuid in cases], [], machines=inventory)
    assert became(changes, "Uuid", cases) == [expected for _, expected in cases.values()]


def test_an_empty_inventory_has_no_machine_that_reported(compare: Comparison) -> None:
    assert compare.kinds(one(OPEN), [], machines=[]) == [("unseen", "its machine is not in the inventory")]


def test_a_finding_of_an_account_that_was_not_read_is_unseen(compare: Comparison) -> None:
    records = [vulnerability(3, **{ACCOUNT: account}) for account in ("1001", "1002")]
    assert compare.kinds(records, [], skipped_accounts=["1002"]) == [
        ("fixed", "it is gone"),
        ("unseen", "its account was not read"),
    ]


def test_a_finding_that_was_merely_not_seen_last_time_is_not_new(compare: Comparison) -> None:
    reason = "it was first seen before the earlier export, which has it not"
    assert compare.kinds([], one({"FirstTs": NOW - 2 * DAY}), since_ms=NOW - DAY) == [("reopened", reason)]
    assert compare.kinds([], one({"FirstTs": NOW - DAY // 2}), since_ms=NOW - DAY) == [("new", "")]


def test_the_first_export_is_all_new(compare: Comparison) -> None:
    changes = compare.changes(None, [vulnerability(number) for number in range(5)])
    assert [change.kind for change in changes] == ["new"] * 5


def test_a_change_has_the_record_and_what_it_was(compare: Comparison) -> None:
    before = [vulnerability(3, Necessity="later"), vulnerability(4)]
    after = [vulnerability(3, FirstTs=NOW - 3 * DAY)]
    worse, fixed = compare.changes(before, after, sla={"asap": timedelta(days=2)})
    assert (worse.kind, worse.urgency, worse.previous_urgency, worse.record) == ("worse", "asap", "later", after[0])
    assert (worse.age_days, worse.overdue, worse.activity_id) == (3.0, True, 2)
    assert (fixed.kind, fixed.record, fixed.overdue, fixed.activity_id) == ("fixed", before[1], False, 3)


def test_what_a_gate_on_new_judges(compare: Comparison) -> None:
    changes = compare.changes([vulnerability(1, Status=7), vulnerability(2)], [vulnerability(1), vulnerability(3)])
    assert [change.kind in NEW_KINDS for change in changes] == [True, False, True]


def test_ages_and_deadlines_by_urgency(compare: Comparison) -> None:
    current = [vulnerability(3 * number, FirstTs=NOW - number * DAY) for number in range(1, 6)]
    current += [
        vulnerability(1, FirstTs=NOW - DAY),
        vulnerability(2, FirstTs=None),
        vulnerability(9, Uuid="x", **FIXED),
    ]
    sla = {"asap": timedelta(days=3), "later": timedelta(days=1)}
    with compare.diff([], current, sla=sla) as compared:
        assert compared.ages() == {
            "asap": Ages(open=5, median_days=3.0, oldest_days=5.0, overdue=2),
            "later": Ages(open=1, median_days=1.0, oldest_days=1.0, overdue=0),
            "nntf": Ages(open=1, median_days=None, oldest_days=None, overdue=0),
        }


def test_counts_name_each_kind_and_each_urgency(lines: Comparison) -> None:
    with lines.diff([], [vulnerability(3), vulnerability(4, Necessity="undocumented")]) as compared:
        counts = compared.counts()
    assert list(counts) == ["new", "reopened", "worse", "better", "waived", "fixed", "unseen"]
    assert counts["new"] == {"asap": 1, "later": 0, "nntf": 0, "unknown": 1}
    assert counts["fixed"] == {"asap": 0, "later": 0, "nntf": 0}


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.zst"])
def test_an_export_without_records_can_be_compared(lines: Comparison, file_format: str) -> None:
    lines.file_format = file_format
    assert lines.kinds([], []) == []
    assert lines.kinds([], one(OPEN)) == [("new", "")]


def test_two_records_of_one_finding_are_one_and_as_bad_as_the_worse(compare: Comparison) -> None:
    twice = [vulnerability(3, PrimaryId=1, **FIXED), vulnerability(3, PrimaryId=2, Necessity="later")]
    [change] = compare.changes([], twice)
    assert (change.kind, change.record["PrimaryId"]) == ("new", 2)


@pytest.mark.parametrize("findings", SAMPLES)
def test_both_formats_and_the_rows_agree_on_every_set(findings: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    fields = FIELDS[findings]
    odd = {ACCOUNT: "1'001", fields.identity[0]: "a/'\"\\ü"}
    records = [SAMPLES[findings], {**SAMPLES[findings], **odd}, {}]
    seen = []
    for file_format in ("jsonl", "parquet"):
        (tmp_path / file_format).mkdir()
        comparison = Comparison(tmp_path / file_format)
        comparison.file_format = file_format
        seen.append(
            [(one.key, one.urgency, one.age_days) for one in comparison.changes([], records, findings=findings)]
        )
    assert seen[0] == seen[1]
    rows = [fields.row(record) for record in records]
    assert {(key, urgency) for key, urgency, _ in seen[0]} == {
        (row.finding_key, row.urgency) for row in rows if row.state == "open"
    }


def test_an_odd_time_is_none(lines: Comparison) -> None:
    odd = ["yesterday", "12345678901234567890", -5, 0, True, [1], {}, None, 1.5]
    changes = lines.changes([], [vulnerability(number, FirstTs=value) for number, value in enumerate(odd)])
    assert [change.age_days for change in changes] == [None] * len(odd)


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"Install airflow-provider-aegis\[diff\]"):
        check_diff({}, FIELDS["vulnerabilities"], "jsonl")


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_a_format_that_cannot_be_compared_is_refused(file_format: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be compared. Export as one of: jsonl, .*parquet\."):
        check_diff({}, FIELDS["vulnerabilities"], file_format)


@pytest.mark.parametrize(
    ("sla", "text"),
    [
        ({"high": timedelta(1)}, "sla names 'high'.*Use: asap, later, nntf"),
        ({"asap": 7}, "is not a timedelta"),
        ({"asap": timedelta(-1)}, "is not a timedelta from 0 on"),
    ],
)
def test_a_deadline_for_no_urgency_or_of_no_length_is_refused(sla: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        check_diff(sla, FIELDS["vulnerabilities"], "jsonl")


MEMORY = """
import resource, sys
from pathlib import Path
from tests.unit.findings.sample import vulnerability
from tests.unit.findings.test_diff import Comparison
count, folder = int(sys.argv[1]), Path(sys.argv[2])
folder.mkdir()
before = [vulnerability(number) for number in range(10)]
records = (vulnerability(number) for number in range(count))
with Comparison(folder).diff(before, records, memory="300MB") as compared:
    assert sum(1 for _ in compared.changes()) == count - 10
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_changes(tmp_path: Path) -> None:
    def kilobytes(count: int) -> Iterator[int]:
        command = [sys.executable, "-c", MEMORY, str(count), str(tmp_path / str(count))]
        yield int(subprocess.check_output(command, text=True, cwd=Path(__file__).parents[3]))

    [few], [many] = kilobytes(1_000), kilobytes(40_000)
    assert many < few + 130_000
