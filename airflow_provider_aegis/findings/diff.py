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
from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.findings.fields import STATES, Fields, State
from airflow_provider_aegis.findings.writers import JSON_LINES

STATE_RANKS: dict[str, int] = {state.value: rank for rank, state in enumerate(State)}
OPEN, WAIVED, FIXED, ARCHIVED, UNKNOWN = (STATE_RANKS[state] for state in State)
COMPARABLE = (*JSON_LINES, "parquet")
ONLINE = "online"
DAY_MS = 86_400_000
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
class Snapshot:
    """The part files of one export, on the local disk.

    :param created_ms: when it was exported, in epoch milliseconds.
    :param file_format: jsonl, jsonl.gz, jsonl.zst or parquet.
    """

    files: Sequence[str]
    file_format: str
    fields: Fields
    created_ms: int = 0


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
        halves = [("current", self._current, "kept"), ("previous", self._previous, "NOT kept")]
        for table, snapshot, which in halves:
            if snapshot is None:
                continue
            rows = self._engine.cursor().execute(
                CHANGED.format(source=source(snapshot), table=table, which=which),
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
            self._engine.execute("CREATE TABLE inventory(machine VARCHAR, online BOOLEAN)")
            return
        online = f"{document(self._inventory)} ->> 'ClientStatus' = '{ONLINE}'"
        self._engine.execute(
            f"CREATE TABLE inventory AS SELECT machine, bool_or(coalesce({online}, false)) AS online "
            f"FROM ({source(self._inventory)}) WHERE machine <> '' GROUP BY machine",
            {"files": list(self._inventory.files)},
        )


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


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def document(snapshot: Snapshot) -> str:
    """Return the expression for a whole record as JSON."""
    return "raw::JSON" if snapshot.file_format == "parquet" else "raw"


def source(snapshot: Snapshot) -> str:
    """Return a query for one export: key, account, machine, state, urgency, first_ms and raw of every record.

    State and urgency are numbers, the most serious 0, as :meth:`Fields.row` reads them.
    """
    return _parquet_source(snapshot.fields) if snapshot.file_format == "parquet" else _json_source(snapshot.fields)


def _parquet_source(fields: Fields) -> str:
    return (
        "SELECT finding_key AS key, account_id AS account, machine_uuid AS machine, "
        f"{case('state', STATE_RANKS, OPEN)} AS state, "
        f"{case('urgency', _urgency_ranks(fields), len(fields.urgencies))} AS urgency, "
        "first_seen_ms AS first_ms, raw FROM read_parquet($files)"
    )


def _json_source(fields: Fields) -> str:
    used = [ACCOUNT, fields.machine, fields.status, fields.urgency, *fields.first_seen, *fields.identity]
    names = [name for name in dict.fromkeys(used) if name]

    def value(name: str) -> str:
        return f"coalesce(v[{names.index(name) + 1}], '')" if name else "''"

    def time(name: str) -> str:
        text = f"v[{names.index(name) + 1}]"
        return f"CASE WHEN regexp_full_match({text}, '[0-9]{{1,18}}') THEN nullif({text}::BIGINT, 0) END"

    paths = ", ".join(quoted(f"$.{json.dumps(name)}") for name in names)
    identity = " || '/' || ".join(value(name) for name in fields.identity)
    states = {text: STATE_RANKS[STATES[status]] for text, status in fields.statuses.items()}
    urgency = case(f"lower({value(fields.urgency)})", _urgency_ranks(fields), len(fields.urgencies))
    times = ", ".join([*(time(name) for name in fields.first_seen), "NULL"])
    return (
        f"SELECT {value(ACCOUNT)} || {quoted(f'/{fields.kind}')} || {identity} AS key, {value(ACCOUNT)} AS account, "
        f"{value(fields.machine)} AS machine, {case(value(fields.status), states, OPEN)} AS state, "
        f"{urgency} AS urgency, coalesce({times}) AS first_ms, raw "
        f"FROM (SELECT json_extract_string(json, [{paths}]) AS v, json AS raw FROM read_ndjson_objects($files))"
    )


def _urgency_ranks(fields: Fields) -> dict[str, int]:
    return {word: rank for rank, word in enumerate(fields.urgencies)}


def case(expression: str, values: Mapping[str, int], otherwise: int) -> str:
    """Return an expression of SQL that maps texts to numbers."""
    cases = " ".join(f"WHEN {quoted(text)} THEN {number}" for text, number in values.items())
    return f"CASE {expression} {cases} ELSE {otherwise} END" if cases else str(otherwise)


COLUMNS = (
    "key VARCHAR, account VARCHAR, machine VARCHAR, state INTEGER, urgency INTEGER, first_ms BIGINT, records BIGINT"
)
EMPTY = f"CREATE TABLE {{table}}({COLUMNS})"
# Two records of one finding are one; it is as bad as the worse of them.
LOAD = """
CREATE TABLE {table} AS
SELECT key, any_value(account) AS account, any_value(machine) AS machine, min(state) AS state,
       min(urgency) AS urgency, min(first_ms) AS first_ms, count(*) AS records
FROM ({source}) GROUP BY key
"""
COMPARE = f"""
CREATE TABLE changes AS
SELECT key, kind, coalesce(reason, '') AS reason, urgency, earlier, first_ms, kept, open, records FROM (
  SELECT coalesce(c.key, p.key) AS key, coalesce(c.urgency, p.urgency) AS urgency, p.urgency AS earlier,
         coalesce(c.first_ms, p.first_ms) AS first_ms, c.key IS NOT NULL AS kept, c.state = {OPEN} AS open,
         coalesce(c.records, p.records) AS records,
         CASE WHEN c.key IS NOT NULL THEN NULL
              WHEN list_contains($skipped, p.account) THEN 'its account was not read'
              WHEN NOT $has_inventory OR p.machine = '' THEN NULL
              WHEN i.machine IS NULL THEN 'its machine is not in the inventory'
              WHEN NOT i.online THEN 'its machine did not report' END AS absence,
         CASE WHEN c.state = {OPEN} AND p.state = {OPEN} THEN
                   CASE WHEN c.urgency < p.urgency THEN 'worse' WHEN c.urgency > p.urgency THEN 'better' END
              WHEN c.state = {OPEN} AND coalesce(p.state, {UNKNOWN}) = {UNKNOWN} THEN
                   CASE WHEN c.first_ms < $since_ms THEN 'reopened' ELSE 'new' END
              WHEN c.state = {OPEN} THEN 'reopened'
              WHEN c.state = {WAIVED} AND p.state IS DISTINCT FROM {WAIVED} THEN 'waived'
              WHEN p.state IS DISTINCT FROM {OPEN} THEN NULL
              WHEN c.state IN ({FIXED}, {ARCHIVED}) THEN 'fixed'
              WHEN c.state = {UNKNOWN} OR absence IS NOT NULL THEN 'unseen'
              WHEN c.key IS NULL THEN 'fixed' END AS kind,
         CASE WHEN kind = 'unseen' THEN coalesce(absence, 'its check did not run')
              WHEN kind = 'fixed' AND c.key IS NULL THEN 'it is gone'
              WHEN kind = 'fixed' AND c.state = {ARCHIVED} THEN 'it was archived'
              WHEN kind = 'reopened' AND p.state = {WAIVED} THEN 'it is no longer waived'
              WHEN kind = 'reopened' AND coalesce(p.state, {UNKNOWN}) = {UNKNOWN}
              THEN 'it was first seen before the earlier export, which has it not' END AS reason
  FROM previous p FULL JOIN current c ON p.key = c.key LEFT JOIN inventory i ON i.machine = p.machine
) WHERE kind IS NOT NULL
"""
AGE = f"($now_ms - first_ms) / {DAY_MS}.0"
OVERDUE = "coalesce($now_ms - first_ms > ($limits)[urgency + 1], false)"
AGES = f"""
SELECT urgency, count(*), median({AGE}), max({AGE}), count(*) FILTER ({OVERDUE})
FROM current WHERE state = {OPEN} GROUP BY urgency ORDER BY urgency
"""
# The records of one finding are rarely more than one, so only then they are gathered.
CHANGED = f"""
WITH changed AS (SELECT * FROM changes WHERE {{which}}),
     found AS (SELECT key, state, raw FROM ({{source}}) WHERE key IN (SELECT key FROM changed)),
     each AS (SELECT key, raw FROM found WHERE key IN (SELECT key FROM changed WHERE records = 1)
              UNION ALL
              SELECT key, arg_min(raw, state) FROM found
              WHERE key IN (SELECT key FROM changed WHERE records > 1) GROUP BY key)
SELECT kind, key, urgency, earlier, reason, {AGE}, open AND {OVERDUE}, raw FROM each JOIN changed USING (key)
"""
