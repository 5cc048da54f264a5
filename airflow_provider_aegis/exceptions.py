"""The exceptions of a scan that ended badly, and one table from an outcome to its exception.

An operator that is retried may start a new scan. A sensor that is retried would get the same answer: it raises
``AirflowFailException`` from one of them.
"""

from __future__ import annotations

from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.flows.wait import Ending, Outcome
from airflow_provider_aegis.client.jobs.once_task import OnceTaskRef, OnceTaskResult, Phase
from airflow_provider_aegis.compat import AirflowException, AirflowFailException


class OnceTaskError(AirflowException):
    """A scan ended without a result."""


class OnceTaskFailedError(OnceTaskError):
    """Security Center says that the scan failed."""


class OnceTaskTimeoutError(OnceTaskError):
    """Security Center says that the scan took too long (status TIMEOUT)."""


class UnknownOnceTaskError(OnceTaskError):
    """Security Center does not know the scan."""


class OnceTaskDeadlineError(OnceTaskError):
    """The task's own deadline passed before the scan was over."""


class TaskKilledError(AirflowException):
    """The task was told to stop before its scan was started."""


class AccountsSkippedError(AirflowException):
    """Accounts of the organisation could not be read, so nothing was exported (``on_skipped="fail"``)."""


class TooManyFindingsError(AirflowFailException):
    """An export has more findings of an urgency than may be (``on_breach="fail"``); no retry can change that."""


class MalformedEventError(RuntimeError):
    """The trigger's event is missing, or not one of this provider's; ``soft_fail`` does not hide that."""


# Class, what to do, and what happened.
BAD_ENDINGS: dict[Outcome, tuple[type[OnceTaskError], str, str]] = {
    Outcome.TIMEOUT: (
        OnceTaskTimeoutError,
        "Retry, or scan fewer assets.",
        "took too long for Security Center, which ended it",
    ),
    Outcome.FAILED: (OnceTaskFailedError, "Look in the console of Security Center for the reason, or retry.", "failed"),
    Outcome.UNKNOWN_TASK: (
        UnknownOnceTaskError,
        "Check the scan's id, its type and the region.",
        "is not known to Security Center (China and the other regions have scans of their own)",
    ),
    Outcome.DEADLINE: (
        OnceTaskDeadlineError,
        "Raise the task's timeout, or retry.",
        "was not over when the deadline passed",
    ),
}


def bad_ending(ending: Ending, task: OnceTaskRef) -> OnceTaskError:
    """Return the exception for a scan that ended badly.

    :param ending: any but SUCCESS and ERROR.
    """
    cls, advice, what = BAD_ENDINGS[ending.outcome]
    result = OnceTaskResult(ending.payload)
    if ending.outcome is Outcome.DEADLINE and ending.payload and result.phase is Phase.MISSING:
        _, advice, unknown = BAD_ENDINGS[Outcome.UNKNOWN_TASK]
        what = f"{what}, and {unknown}"
    details = [f"status {result.status}"] if result.status else []
    details += [f"{result.progress:.0%} done"] if result.progress is not None else []
    details += [f"RequestId {result.request_id}"] if result.request_id else []
    error = ending.error.summary if isinstance(ending.error, SecurityCenterError) else ending.error
    trouble = f" The last read failed: {error}" if error else ""
    known = f" ({', '.join(details)})" if details else ""
    return cls(f"{advice} Scan {task.once_task_type} {task.once_task_id} {what}.{trouble}{known}")


def read_event(event: object) -> Ending:
    """Read the event of this provider's trigger.

    :raises MalformedEventError: if it is missing or malformed; a task never succeeds on such an event.
    """
    try:
        ending = Ending.from_dict(event)
        if ending.outcome is Outcome.SUCCESS and OnceTaskResult(ending.payload).phase is not Phase.SUCCESS:
            raise ValueError("the outcome is success, and the payload does not say so")
        return ending
    except ValueError as error:
        raise MalformedEventError(
            f"The trigger's event cannot be read, so the scan's end is not known: {error}"
        ) from error
