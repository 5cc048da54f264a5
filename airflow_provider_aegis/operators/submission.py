"""What an operator stores of its scan, so that a later try neither loses it nor starts a second one.

Airflow's task state store outlives a try and a clear (Airflow 3.3 and later); below that there is none, and nothing is
remembered.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_aegis.client.flows.find_submitted import Window

if TYPE_CHECKING:
    from airflow.sdk import Context

KEY = "aegis_submission"
# The generation of a scan that no try picks up any more.
UNWANTED = "unwanted"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submission:
    """A scan that was started, or was about to be.

    :param fingerprint: of everything that decides what is scanned where.
    :param generation: changes when a user clears the task.
    :param source: the ``Source`` by which the scan is found; empty if it has none of its own.
    :param since: the service's time just before the start, UNIX epoch seconds.
    :param before: when the last scan before it began, UNIX epoch milliseconds.
    :param once_task_id: empty as long as the start is not known to have arrived.
    :param ours: whether this task surely started it; only then is it ever cancelled.
    :param ended: whether the scan is over.
    :param awaited: whether the task waits for its end.
    """

    fingerprint: str
    generation: str
    source: str = ""
    since: float = 0.0
    before: float | None = None
    once_task_id: str = ""
    ours: bool = True
    ended: bool = False
    awaited: bool = True
    once_task_type: str = ""
    once_task_name: str = ""
    aegis_conn_id: str = ""
    region: str | None = None

    @property
    def window(self) -> Window:
        """When the start may have arrived."""
        return Window(self.since, self.before)

    @property
    def cancellable(self) -> bool:
        """Whether a scan may run that surely is ours."""
        return self.ours and not self.ended and bool(self.once_task_id or self.source)

    @classmethod
    def from_stored(cls, stored: object) -> Submission | None:
        """Read what :meth:`SubmissionStore.write` wrote; ``None`` for nothing, or for what another version wrote."""
        try:
            return cls(**stored) if isinstance(stored, Mapping) else None
        except TypeError:
            return None


class Plan(Enum):
    """What a try does about what an earlier one stored."""

    START = "start"
    FIND = "find"  # a start may have arrived
    ATTACH = "attach"
    REPLACE = "replace"  # nobody wants the earlier scan any more: the task was cleared, or its arguments changed


def decide(stored: Submission | None, fingerprint: str, generation: str) -> Plan:
    """Say what a try does.

    :param stored: what an earlier try stored.
    """
    if stored is None:
        return Plan.START
    if (stored.generation, stored.fingerprint) == (generation, fingerprint):
        return Plan.ATTACH if stored.once_task_id else Plan.FIND
    return Plan.REPLACE if stored.cancellable else Plan.START


def fingerprint_of(params: Mapping[str, Any], *where: str | None) -> str:
    """Return a short text that changes when any of the parameters does."""
    text = json.dumps([params, where], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def generation_of(context: Context) -> str:
    """Return a text that changes when a user clears the task.

    Clearing a task that is not running raises its ``max_tries``. Clearing a running one leaves no mark on the task, and
    a mark on its run alone would take another task's clear for this one's: so in doubt the scan is picked up again.
    """
    return str(context["ti"].max_tries)


class SubmissionStore:
    """Reads and writes the submission of a task.

    :param context: of the running task.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")

    @property
    def remembers(self) -> bool:
        """Whether a later try can read what this one writes."""
        return self._store is not None

    def read(self) -> Submission | None:
        """Return what an earlier try stored."""
        return Submission.from_stored(self._store.get(KEY)) if self.remembers else None

    def write(self, submission: Submission) -> None:
        """Store a submission."""
        if self.remembers:
            self._store.set(KEY, asdict(submission))

    def delete(self) -> None:
        """Forget the submission: there is no scan that a later try could pick up."""
        if self.remembers:
            self._store.delete(KEY)

    def conclude(self, *, succeeded: bool, runs_on: bool = False) -> None:
        """Note that the task is done with its scan. A failure to write changes nothing about that, and is logged.

        :param succeeded: whether a later try returns this scan's result, instead of starting another.
        :param runs_on: whether the scan could not be cancelled, so that a later try has to.
        """
        try:
            if not succeeded and not runs_on:
                self.delete()
            elif stored := self.read():
                self.write(replace(stored, ended=True) if succeeded else replace(stored, generation=UNWANTED))
        except Exception as error:  # noqa: BLE001  (whatever a backend of the store raises)
            log.warning("That the scan is over could not be stored: %s", error)
