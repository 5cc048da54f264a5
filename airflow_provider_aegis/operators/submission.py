"""What an operator writes down of its scan, so that a later try neither loses it nor starts a second one.

Airflow's task state store outlives a try (Airflow 3.3 and later); below that there is none, and nothing is remembered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_aegis.client.start import Window

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

KEY = "aegis_submission"


@dataclass(frozen=True, slots=True)
class Submission:
    """A scan that was started, or was about to be.

    :param fingerprint: of everything that decides what is scanned where.
    :param generation: changes when a user clears the task.
    :param since: the service's time just before the start, UNIX epoch seconds.
    :param before: when the last scan before it began, UNIX epoch milliseconds.
    :param once_task_id: empty as long as the start is not known to have arrived.
    :param ours: whether this task started it; only then is it ever cancelled.
    """

    fingerprint: str
    generation: str
    since: float = 0.0
    before: float | None = None
    once_task_id: str = ""
    ours: bool = True

    @property
    def window(self) -> Window:
        """When the start may have arrived."""
        return Window(self.since, self.before)


class Plan(Enum):
    """What a try does about what an earlier one wrote down."""

    START = "start"
    FIND = "find"  # a start may have arrived
    ATTACH = "attach"
    REPLACE = "replace"  # nobody wants the earlier scan any more: the task was cleared, or its arguments changed


def decide(stored: Submission | None, fingerprint: str, generation: str) -> Plan:
    """Say what a try does.

    :param stored: what an earlier try wrote down.
    """
    if stored is None:
        return Plan.START
    if (stored.generation, stored.fingerprint) != (generation, fingerprint):
        return Plan.REPLACE if stored.once_task_id and stored.ours else Plan.START
    return Plan.ATTACH if stored.once_task_id else Plan.FIND


def fingerprint_of(params: Mapping[str, Any], *where: str | None) -> str:
    """Return a short text that changes when any of the parameters does."""
    text = json.dumps([params, where], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def generation_of(context: Context) -> str:
    """Return a text that changes when a user clears the task.

    Clearing a task that is not running raises its number of tries. Clearing a running one leaves no mark on the task,
    only on its run: so another task's clearing counts as well, if this one had to begin again after it.
    """
    return f"{context['ti'].max_tries}/{getattr(context['dag_run'], 'clear_number', 0)}"


class Notebook:
    """Reads and writes the submission of a task."""

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")

    def read(self) -> Submission | None:
        """Return what an earlier try wrote down; ``None`` for nothing, or for what another version wrote."""
        written = self._store.get(KEY) if self._store is not None else None
        try:
            return Submission(**written) if written else None
        except TypeError:
            return None

    def write(self, submission: Submission) -> None:
        """Write a submission down."""
        if self._store is not None:
            self._store.set(KEY, asdict(submission))

    def tear_out(self) -> None:
        """Forget it: the scan is over, or never was."""
        if self._store is not None:
            self._store.delete(KEY)
