"""What a soak found: a table by what was done to the tasks, and every breach with what led to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .evidence import Evidence
from .oracle import Finding, Promise

ALL = "all tasks"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A task and what was not as promised."""

    seen: Evidence
    findings: Sequence[Finding]

    @property
    def kinds(self) -> set[str]:
        """What was done to the task."""
        return {done.what.value for done in self.seen.done if not done.error} or {"nothing"}


def broken(verdicts: Iterable[Verdict]) -> list[Finding]:
    """Return the breaches that the documentation does not name."""
    return [finding for verdict in verdicts for finding in verdict.findings if not finding.known]


def table(verdicts: Sequence[Verdict]) -> str:
    """Return a table in Markdown, with a line for each thing that was done; a task counts for all that was done to it.

    In brackets: what the documentation names as not to be kept.
    """
    tasks: Counter[str] = Counter()
    counts: Counter[tuple[str, Promise, bool]] = Counter()
    for verdict in verdicts:
        for kind in (*verdict.kinds, ALL):
            tasks[kind] += 1
            counts.update((kind, finding.promise, bool(finding.known)) for finding in verdict.findings)
    head = ["done to the task", "tasks", *(promise.value for promise in Promise)]
    lines = [_row(*head), _row(*["---"] * len(head))]
    for kind in [*sorted(tasks - Counter([ALL] * len(verdicts))), ALL]:
        cells = (_cell(counts[kind, promise, False], counts[kind, promise, True]) for promise in Promise)
        lines.append(_row(kind, str(tasks[kind]), *cells))
    return "\n".join(lines)


def story(verdict: Verdict) -> Iterator[str]:
    """Tell all that was seen of a task, a line for each thing, in the order of time."""
    seen = verdict.seen
    yield f"{seen.case}"
    for finding in verdict.findings:
        yield f"  {finding.promise.value.upper()}: {finding.text}" + (f" [{finding.known}]" if finding.known else "")
    yield f"  in the end: {seen.state}, try {seen.try_number}, XCom {seen.once_task_id}; {'; '.join(seen.tries)}"
    events = [
        (done.began, f"DONE {done.what.value} (task {done.state}, process {done.process}) {done.error}")
        for done in seen.done
    ]
    events += [
        (entry.at, f"process {entry.process} ({entry.pid}), try {entry.try_number}: {entry.what}")
        for entry in seen.entries
    ]
    for scan in seen.scans:
        whose = "a colleague's scan" if scan.theirs else "scan"
        events.append((scan.began, f"{whose} {scan.once_task_id[:8]} runs, started by process {scan.process}"))
        if scan.ended is not None:
            events.append((scan.ended, f"{whose} {scan.once_task_id[:8]} ends {scan.status}"))
    reads = 0
    for line in seen.log:
        reads = reads + 1 if line.action == "GetOnceTaskResultInfo" else 0
        if reads <= 2:
            which = line.params.get("TaskId", "")[:8]
            events.append((line.arrived, f"{line.access_key_id}: {line.action} {which} {line.status} {line.code}"))
    for at, text in sorted(events):
        yield f"  {at - seen.began:7.2f} {text}"


def _cell(broken: int, known: int) -> str:
    return f"{broken} ({known})" if known else str(broken)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
