"""Where an operator's submission is stored, so that a later try neither loses its scan nor starts a second one.

Airflow's task state store outlives a try and a clear (Airflow 3.3 and later); below that there is none, and nothing is
remembered.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_aegis.operators.submission import UNWANTED, TaskSubmission

if TYPE_CHECKING:
    from airflow.sdk import Context

KEY = "aegis_submission"

log = logging.getLogger(__name__)


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

    def read(self) -> TaskSubmission | None:
        """Return what an earlier try stored."""
        return TaskSubmission.from_stored(self._store.get(KEY)) if self.remembers else None

    def write(self, submission: TaskSubmission) -> None:
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
            log.warning("The end of the scan could not be stored: %s", error)
