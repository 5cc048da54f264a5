"""How task instances stand, read from Airflow's database: it answers also while the api-server is dead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import create_engine, text

FINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True, slots=True)
class Instance:
    """How a task instance stands."""

    id: str
    state: str | None
    try_number: int
    trigger_id: int | None


class Database:
    """Reads of the database of one Airflow.

    :param url: as SQLAlchemy spells it.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=20)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def instance(self, run_id: str) -> Instance:
        """Return how the scan's task of a run stands."""
        (row,) = self._rows("id::text, state, try_number, trigger_id", "task_instance", run_id)
        return Instance(*row)

    def tries(self, run_id: str) -> list[str]:
        """Return how each earlier try stood when the next one replaced it."""
        rows = self._rows("try_number, state, start_date, end_date", "task_instance_history", run_id)
        return [f"try {number} {state} from {_time(began)} to {_time(ended)}" for number, state, began, ended in rows]

    def _rows(self, columns: str, table: str, run_id: str) -> list[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {table} WHERE run_id = :run AND task_id = 'scan' ORDER BY queued_dttm"
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), {"run": run_id})]


def _time(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}" if moment else "?"
