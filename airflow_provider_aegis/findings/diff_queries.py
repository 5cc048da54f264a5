"""The queries of a comparison, in the SQL of DuckDB.

State and urgency are numbers in them, the most serious 0, so that the worse of two is the smaller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.findings.fields import STATES, Fields, State

STATE_RANKS: dict[str, int] = {state.value: rank for rank, state in enumerate(State)}
OPEN, WAIVED, FIXED, ARCHIVED, UNKNOWN = (STATE_RANKS[state] for state in State)
DAY_MS = 86_400_000


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
NO_INVENTORY = "CREATE TABLE inventory(machine VARCHAR, online BOOLEAN)"
INVENTORY = """
CREATE TABLE inventory AS
SELECT machine, bool_or(coalesce(raw::JSON ->> 'ClientStatus' = 'online', false)) AS online
FROM ({source}) WHERE machine <> '' GROUP BY machine
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


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def source(snapshot: Snapshot) -> str:
    """Return a query for one export: key, account, machine, state, urgency, first_ms and raw of every record.

    Key, state and urgency are as :meth:`Fields.row` reads them.
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
