"""What an operator remembers of its scan, and what a later try does about it. Pure: it talks to nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from airflow_provider_aegis.client.flows.find_submitted import Submission

# The generation of a scan that no try picks up any more.
UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSubmission(Submission):
    """A scan that a task of Airflow started, or was about to, as it is stored.

    :param fingerprint: of everything that decides what is scanned where.
    :param generation: changes when a user clears the task.
    :param ended: whether the scan is over.
    :param awaited: whether the task waits for its end.
    """

    fingerprint: str
    generation: str
    ended: bool = False
    awaited: bool = True
    aegis_conn_id: str = ""
    region: str | None = None

    @property
    def cancellable(self) -> bool:
        """Whether a scan may run that this task surely started."""
        return self.ours and not self.ended and bool(self.once_task_id or self.source)

    @classmethod
    def from_stored(cls, stored: object) -> TaskSubmission | None:
        """Read a stored submission; ``None`` for nothing, or for what another version stored."""
        try:
            return cls(**stored) if isinstance(stored, Mapping) else None
        except TypeError:
            return None


class Plan(Enum):
    """What a try does about what an earlier one stored."""

    START = "start"
    FIND = "find"  # a start may have arrived
    ATTACH = "attach"
    REPLACE = "replace"  # the task was cleared or its arguments changed: cancel the earlier scan, then start


def decide(stored: TaskSubmission | None, wanted: TaskSubmission) -> Plan:
    """Say what a try does.

    :param stored: what an earlier try stored.
    :param wanted: the submission that this try would make.
    """
    if stored is None:
        return Plan.START
    if (stored.generation, stored.fingerprint) == (wanted.generation, wanted.fingerprint):
        return Plan.ATTACH if stored.once_task_id else Plan.FIND
    return Plan.REPLACE if stored.cancellable else Plan.START


def fingerprint_of(params: Mapping[str, Any], *where: str | None) -> str:
    """Return a short text that changes when any of the parameters does."""
    text = json.dumps([params, where], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
