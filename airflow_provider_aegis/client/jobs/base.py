"""What a job is to the flows: anything that Security Center runs for a while. Each kind of job is one module here.

A kind of job says how it is submitted (:class:`Job`), how it is named afterwards (:class:`JobRef`) and what an answer
about it means (:class:`Judge`). Submitting, waiting and cancelling are the same for every kind, and know no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from airflow_provider_aegis.client.protocol.operations import Call


class Outcome(StrEnum):
    """How a wait for a job ended."""

    SUCCESS = "success"
    TIMEOUT = "timeout"
    FAILED = "failed"
    UNKNOWN_TASK = "unknown_task"
    DEADLINE = "deadline"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer about a job means.

    :param outcome: how the job ended, ``None`` while it runs.
    :param progress: share of the work that is done, 0 to 1, ``None`` where the answer does not say.
    """

    outcome: Outcome | None
    progress: float | None = None


class Judge(Protocol):
    """Says what the answers of one wait mean, and may remember what it saw before."""

    def judge(self, payload: Mapping[str, Any], now: float) -> Reading:
        """Say what an answer means.

        :param payload: the answer to :meth:`JobRef.read`.
        :param now: seconds of a clock that does not jump during the wait.
        """


class JobRef(Protocol):
    """Names one job that was submitted; its fields are plain JSON."""

    def read(self) -> Call:
        """Build the call that reads how the job stands."""

    def cancel(self) -> Call:
        """Build the call that cancels the job."""


class Job(Protocol):
    """A job that can be submitted."""

    def submit(self) -> Call:
        """Build the call that starts the job."""

    def ref(self, payload: Mapping[str, Any]) -> JobRef:
        """Name the job that was started.

        :param payload: the answer to :meth:`submit`.
        :raises ConflictError: if the answer says that nothing was started.
        :raises ProtocolError: if it does not say which job was started.
        """
