"""Which promises a task broke, as a pure function of what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from .cases import DEADLY, ENDS, Blow, What
from .evidence import Cancel, Done, Evidence, Scan
from .troubles import TWO_CANCELS_FAIL

#: A user's clear and the next try's start may cross: so long may the replaced scan run on.
CROSSING_SECONDS = 2.0
#: So long a deferral takes, from the process that defers to the trigger that waits; on_kill may reach neither.
DEFERRAL_SECONDS = 5.0
#: From a user's act to the SIGKILL of the task's process: the next heartbeat and Airflow's patience.
STOP_SECONDS = 10.0
#: By these a scan is looked for whose start got no answer.
LOOKS = ("GetLastOnceTaskInfo", "DescribeOnceTask", "ListUnfinishedOnceTask")
#: Why a scan that was found by its time is never cancelled.
NOT_PROVEN_OURS = "the service takes no Source: a scan that was found is not ours"
#: Components that take tasks with them.
_TAKING = (Blow.KILL_SCHEDULER_TREE, Blow.KILL_TRIGGERER, Blow.TERM_TRIGGERER)
_GREEN = "SUCCESS"


class Promise(Enum):
    """What is promised, by the word for its breach."""

    DUPLICATE = "duplicate"
    LEFT = "left running"
    UNASKED = "cancelled unasked"
    FALSE_GREEN = "false green"
    FALSE_RED = "false red"
    STUCK = "stuck"
    UNKNOWN = "not judged"


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that was not kept.

    :param known: why this one cannot be kept, where the documentation names it.
    """

    promise: Promise
    text: str
    known: str = ""


def judge(seen: Evidence) -> list[Finding]:
    """Return what was not as promised."""
    if seen.stuck:
        return [Finding(Promise.STUCK, f"the task is {seen.state} after all that time")]
    return [*_duplicates(seen), *_left(seen), *_unasked(seen), *_colour(seen)]


# Who asked for what


def _of_user(seen: Evidence, *whats: What) -> list[Done]:
    return [done for done in seen.done if done.what in whats and not done.error]


def _ended(seen: Evidence) -> Done | None:
    """The user's act by which the task is ended for good."""
    last = next(iter(reversed(_of_user(seen, *ENDS, What.CLEAR))), None)
    return last if last and last.what in ENDS else None


def _began(seen: Evidence, process: int) -> float | None:
    return next((entry.at for entry in seen.entries if entry.process == process), None)


def _before(seen: Evidence, scan: Scan, act: Done) -> bool:
    """Whether the try that started a scan was on its way before the act ended."""
    began = _began(seen, scan.process)
    return (scan.began if began is None else began) <= act.ended


# The promises


def _duplicates(seen: Evidence) -> Iterator[Finding]:
    """Of two scans that follow each other the first has failed, was cancelled, or a clear asked for the second."""
    ours = [scan for scan in seen.scans if not scan.theirs]
    clears = _of_user(seen, What.CLEAR)
    for before, after in pairwise(ours):
        overlap = (float("inf") if before.ended is None else before.ended) - after.began
        clear = next((act for act in clears if act.began <= after.began and _before(seen, before, act)), None)
        if clear:
            clears.remove(clear)
            if overlap > CROSSING_SECONDS:
                text = f"{_name(before)} ran on for {overlap:.1f} s after a clear's new scan"
                yield Finding(Promise.DUPLICATE, text, NOT_PROVEN_OURS if _found_by_time(seen, before) else "")
        elif overlap > 0:
            yield Finding(Promise.DUPLICATE, f"{_name(after)} was started while {_name(before)} ran, {overlap:.1f} s")
        elif before.status == _GREEN:
            yield Finding(Promise.DUPLICATE, f"{_name(after)} was started after {_name(before)} had succeeded")
    if ended := _ended(seen):
        for scan in ours:
            began = _began(seen, scan.process)
            if began is not None and began > ended.ended + CROSSING_SECONDS:
                yield Finding(Promise.DUPLICATE, f"{_name(scan)} was started by a process that began after the end")


def _left(seen: Evidence) -> Iterator[Finding]:
    """When a task has ended, none of its scans runs any more."""
    for scan in seen.scans:
        if scan.theirs or scan.ended is not None:
            continue
        if not seen.case.arguments["cancel_on_kill"] and (_ended(seen) or seen.state == "failed"):
            continue
        swept = "swept later" if scan.once_task_id in seen.swept else "not swept either"
        text = f"{_name(scan)} runs on although the task is {seen.state}; {swept}"
        yield Finding(Promise.LEFT, text, _why_left(seen, scan))


def _found_by_time(seen: Evidence, scan: Scan) -> bool:
    """Whether a scan was searched for, and the service's answers could not prove whose it is."""
    looks = [line for line in seen.log if line.action in LOOKS and line.arrived > scan.began]
    return seen.case.source_filter != "honoured" and bool(looks)


def _why_left(seen: Evidence, scan: Scan) -> str:
    """Why a scan may be left, which `airflow aegis sweep` must find then; docs/cancelling.md names each."""
    if _found_by_time(seen, scan):
        return NOT_PROVEN_OURS
    if scan.once_task_id not in seen.swept:
        return ""
    ended = _ended(seen)
    if ended is None:
        return "killed in its last try" if _killed(seen) else ""
    if ended.state in ("up_for_retry", None, "scheduled", "queued") or _had_no_process(seen, ended):
        return "no process of it lived when a user ended it"
    deferred = [entry.at for entry in seen.entries if "TaskDeferred" in entry.what]
    if any(ended.began - DEFERRAL_SECONDS < at < ended.ended + DEFERRAL_SECONDS for at in deferred):
        return "a user ended it in the moment of its deferral"
    return "the service did not answer when a user ended it" if _was_troubled(seen, ended) else ""


def _was_troubled(seen: Evidence, ended: Done) -> bool:
    """Whether cancels may have failed in the seconds that Airflow leaves a process that is told to stop."""
    trouble, began = seen.case.trouble, seen.trouble_began
    if trouble is None or began is None or "start" in trouble.name or trouble.name == TWO_CANCELS_FAIL:
        return False  # after two failures there is time for another
    return began - STOP_SECONDS < ended.ended < began + trouble.seconds


def _had_no_process(seen: Evidence, ended: Done) -> bool:
    """Whether the last process that had the task, or its triggerer, had been killed by then."""
    last = max((entry.at for entry in seen.entries if entry.at <= ended.began), default=0.0)
    return any(last <= killed.began <= ended.began for killed in seen.done if killed.what in (*DEADLY, *_TAKING))


def _unasked(seen: Evidence) -> Iterator[Finding]:
    """A scan is cancelled only if a user ended or cleared its task, or the deadline passed."""
    told = set()
    for cancel in seen.cancels:
        scan = next((scan for scan in seen.scans if scan.once_task_id == cancel.once_task_id), None)
        if scan is None or scan.once_task_id in told:
            continue
        if not (why := _unasked_because(seen, scan, cancel)):
            continue
        told.add(scan.once_task_id)
        yield Finding(Promise.UNASKED, f"{_name(scan)} by {cancel.key}, {cancel.at - scan.began:.1f} s old: {why}")


def _unasked_because(seen: Evidence, scan: Scan, cancel: Cancel) -> str:
    if scan.theirs:
        return "it is a colleague's"
    began = min((entry.at for entry in seen.entries), default=seen.began)
    if cancel.at >= began + seen.case.arguments["timeout"] - 1:
        return ""
    if not seen.case.arguments["cancel_on_kill"]:
        return "the task cancels nothing when it is killed"
    acts = [act for act in _of_user(seen, *ENDS, What.CLEAR) if act.began <= cancel.at]
    if not acts:
        return "nobody had ended or cleared the task"
    if not any(_before(seen, scan, act) for act in acts):
        return "it is the scan of the try that a clear had asked for"
    return ""


def _colour(seen: Evidence) -> Iterator[Finding]:
    """A task is green only with a scan of its own that succeeded, and red only if something failed."""
    if _ended(seen):
        return
    late = seen.case.arguments["timeout"] < 3600
    if seen.state == "success":
        scan = next((scan for scan in seen.scans if scan.once_task_id == seen.once_task_id), None)
        adoptable = seen.case.source_filter != "honoured" and seen.case.trouble
        if scan is None or scan.status != _GREEN or (scan.theirs and not adoptable):
            yield Finding(Promise.FALSE_GREEN, f"success with {_name(scan) if scan else seen.once_task_id}")
    elif seen.state == "failed" and not late and seen.case.outcome == _GREEN:
        kills = len(_killed(seen))
        if kills + seen.races <= seen.case.arguments["retries"]:
            known = "the scheduler took a deferral for a failure" if seen.races else ""
            text = f"failed after {kills} kills, {seen.races} races of the scheduler; tries: {'; '.join(seen.tries)}"
            yield Finding(Promise.FALSE_RED, text, known)


def _killed(seen: Evidence) -> list[Done]:
    return [done for done in seen.done if not done.error and (done.what in DEADLY or isinstance(done.what, Blow))]


def _name(scan: Scan) -> str:
    whose = "a colleague's scan" if scan.theirs else "scan"
    return f"{whose} {scan.once_task_id[:8]} (process {scan.process}, {scan.status})"
