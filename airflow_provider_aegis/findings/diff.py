"""What changed between two exports of one set of findings, in bounded memory (DuckDB, extra ``diff``).

A finding that is gone was fixed only if somebody looked: where its account was not read or its machine did not report,
it is ``unseen``. "Nothing wrong" and "never scanned" are never the same.

The two exports are read twice: for a small table of keys, states and urgencies that are joined, and then for the
records of what changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.diff_queries import (
    AGES,
    CHANGED,
    COMPARE,
    EMPTY,
    INVENTORY,
    LOAD,
    NO_INVENTORY,
    Snapshot,
    source,
)
from airflow_provider_aegis.findings.fields import Fields
from airflow_provider_aegis.findings.writers import JSON_LINES

COMPARABLE = (*JSON_LINES, "parquet")
ROWS = 1_000


class Kind(StrEnum):
    """What became of a finding."""

    NEW = "new"
    REOPENED = "reopened"
    WORSE = "worse"
    BETTER = "better"
    WAIVED = "waived"
    FIXED = "fixed"
    UNSEEN = "unseen"


# What a gate on "new" judges: a finding that is back is as new to its owner.
NEW_KINDS = (Kind.NEW, Kind.REOPENED)
# Activities of OCSF: 1 create, 2 update, 3 close.
ACTIVITIES = {Kind.NEW: 1, Kind.FIXED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One finding that changed.

    :param reason: why it is of this kind, where that is not plain.
    :param age_days: since it was first seen, ``None`` where the record does not say.
    :param overdue: whether it is open and older than its urgency allows.
    :param record: the record of the later export; of the earlier one where the later has none.
    """

    kind: Kind
    key: str
    urgency: str
    previous_urgency: str
    reason: str
    age_days: float | None
    overdue: bool
    record: dict[str, Any]

    @property
    def activity_id(self) -> int:
        """The activity of OCSF."""
        return ACTIVITIES.get(self.kind, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """The open findings of one urgency.

    :param median_days: half of them are older; ``None`` where no record says when it was first seen.
    :param overdue: how many are older than their urgency allows.
    """

    open: int
    median_days: float | None
    oldest_days: float | None
    overdue: int


class Diff:
    """The comparison of two exports; a context manager, within which its results can be read.

    :param previous: the earlier export; ``None`` compares with nothing, so that every open finding is new.
    :param inventory: an export of the machines with their ``ClientStatus``; without one a finding that is gone counts
        as fixed wherever it was.
    :param skipped_accounts: accounts that the later export could not read.
    :param sla: how old a finding of an urgency may become.
    :param now_ms: the time by which ages are told, in epoch milliseconds.
    :param memory: how much memory the engine may take; what does not fit goes to ``temporary_folder``.
    :raises ConfigurationError: if the engine is not installed, a format cannot be compared, or ``sla`` names an
        urgency that the set has not.
    """

    def __init__(
        self,
        previous: Snapshot | None,
        current: Snapshot,
        *,
        now_ms: int,
        temporary_folder: str,
        inventory: Snapshot | None = None,
        skipped_accounts: Sequence[str] = (),
        sla: Mapping[str, timedelta] | None = None,
        memory: str = "600MB",
    ) -> None:
        check_diff(sla or {}, current.fields, *(one.file_format for one in (previous, current, inventory) if one))
        self._previous, self._current, self._inventory = previous, current, inventory
        self._now_ms, self._sla, self._skipped = now_ms, dict(sla or {}), list(skipped_accounts)
        self._folder, self._memory = temporary_folder, memory
        self._words = (*current.fields.urgencies, "")

    def __enter__(self) -> Diff:
        """Read both exports and compare them."""
        import duckdb

        self._engine = duckdb.connect(
            config={
                "memory_limit": self._memory,
                "threads": 2,
                "temp_directory": self._folder,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            }
        )
        self._load("previous", self._previous)
        self._load("current", self._current)
        self._load_inventory()
        self._engine.execute(
            COMPARE,
            {
                "has_inventory": self._inventory is not None,
                "skipped": self._skipped,
                "since_ms": self._previous.created_ms if self._previous else 0,
            },
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the engine go."""
        self._engine.close()

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many findings are of each kind, and of these how many of each urgency, worst first."""
        counted = self._engine.execute("SELECT kind, urgency, count(*) FROM changes GROUP BY ALL").fetchall()
        found = {(kind, urgency): count for kind, urgency, count in counted}
        return {
            kind.value: {
                word or "unknown": found.get((kind.value, rank), 0)
                for rank, word in enumerate(self._words)
                if word or (kind.value, rank) in found
            }
            for kind in Kind
        }

    def ages(self) -> dict[str, Ages]:
        """Return the ages of what is open in the later export, by urgency, worst first."""
        rows = self._engine.execute(AGES, {"now_ms": self._now_ms, "limits": self._limits()}).fetchall()
        return {
            self._words[rank] or "unknown": Ages(open=count, median_days=median, oldest_days=oldest, overdue=overdue)
            for rank, count, median, oldest, overdue in rows
        }

    def changes(self) -> Iterator[Change]:
        """Yield every finding that changed, with its record, in no order."""
        for snapshot, which in ((self._current, "kept"), (self._previous, "NOT kept")):
            if snapshot is None:
                continue
            rows = self._engine.cursor().execute(
                CHANGED.format(source=source(snapshot), which=which),
                {"files": list(snapshot.files), "now_ms": self._now_ms, "limits": self._limits()},
            )
            while batch := rows.fetchmany(ROWS):
                for kind, key, urgency, earlier, reason, age, overdue, raw in batch:
                    yield Change(
                        kind=Kind(kind),
                        key=key,
                        urgency=self._words[urgency],
                        previous_urgency="" if earlier is None else self._words[earlier],
                        reason=reason,
                        age_days=age,
                        overdue=bool(overdue),
                        record=json.loads(raw),
                    )

    def _limits(self) -> list[int | None]:
        return [self._sla[word] // timedelta(milliseconds=1) if word in self._sla else None for word in self._words]

    def _load(self, table: str, snapshot: Snapshot | None) -> None:
        if snapshot is None:
            self._engine.execute(EMPTY.format(table=table))
            return
        self._engine.execute(LOAD.format(table=table, source=source(snapshot)), {"files": list(snapshot.files)})

    def _load_inventory(self) -> None:
        if self._inventory is None:
            self._engine.execute(NO_INVENTORY)
            return
        query = INVENTORY.format(source=source(self._inventory))
        self._engine.execute(query, {"files": list(self._inventory.files)})


def check_diff(sla: Mapping[str, timedelta], fields: Fields, *file_formats: str) -> None:
    """See that exports can be compared, before any is read.

    :raises ConfigurationError: see :class:`Diff`.
    """
    if find_spec("duckdb") is None:
        raise ConfigurationError("Comparing exports needs the package duckdb. Install airflow-provider-aegis[diff].")
    for file_format in file_formats:
        if file_format not in COMPARABLE:
            raise ConfigurationError(
                f"Exports as {file_format!r} cannot be compared. Export as one of: {', '.join(COMPARABLE)}."
            )
    for urgency, limit in sla.items():
        if urgency not in fields.urgencies:
            raise ConfigurationError(
                f"sla names {urgency!r}, which is not an urgency of this set. Use: {', '.join(fields.urgencies)}."
            )
        if not isinstance(limit, timedelta) or limit < timedelta():
            raise ConfigurationError(f"sla[{urgency!r}]={limit!r} is not a timedelta from 0 on.")
