"""What a task raises when the scan, and not the call, ended badly; and one table from an outcome to its exception.

In an operator a retry may answer them with a new scan. A sensor cannot change the answer by asking again: it raises
``AirflowFailException`` from one of them.
"""

from __future__ import annotations

from airflow_provider_aegis.client.flows.wait import Ending, Outcome
from airflow_provider_aegis.client.jobs.once_task import OnceTaskResult, Phase
from airflow_provider_aegis.compat import AirflowException


class OnceTaskError(AirflowException):
    """A scan that did not bring a result."""


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


class MalformedEventError(RuntimeError):
    """The trigger's event is missing, or not one that this provider sends; ``soft_fail`` does not hide that."""


NOT_KNOWN = (
    "is not known to Security Center; see whether the id and the type belong together, and whether the scan was "
    "started on the same control plane (China or international)"
)
BAD_ENDINGS: dict[Outcome, tuple[type[OnceTaskError], str]] = {
    Outcome.TIMEOUT: (OnceTaskTimeoutError, "took too long for Security Center, which ended it"),
    Outcome.FAILED: (OnceTaskFailedError, "failed"),
    Outcome.UNKNOWN_TASK: (UnknownOnceTaskError, NOT_KNOWN),
    Outcome.DEADLINE: (OnceTaskDeadlineError, "was not over when the deadline passed"),
}


def bad_ending(ending: Ending, *, once_task_type: str, once_task_id: str) -> OnceTaskError:
    """Return the exception that an ending without success deserves.

    :param ending: any but SUCCESS and ERROR.
    """
    cls, what = BAD_ENDINGS[ending.outcome]
    result = OnceTaskResult(ending.payload)
    if ending.outcome is Outcome.DEADLINE and ending.payload and result.phase is Phase.MISSING:
        what = f"{what}, and {NOT_KNOWN}"
    told = [f"status {result.status}"] if result.status else []
    told += [f"{result.progress:.0%} done"] if result.progress is not None else []
    told += [f"RequestId {result.request_id}"] if result.request_id else []
    trouble = f" The last read failed: {ending.error}" if ending.error else ""
    details = f" ({', '.join(told)})" if told else ""
    return cls(f"Scan {once_task_type} {once_task_id} {what}{details}.{trouble}")


def read_event(event: object) -> Ending:
    """Read the event of this provider's trigger.

    :raises MalformedEventError: if it is missing or is anything else; a task never turns green for that.
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
