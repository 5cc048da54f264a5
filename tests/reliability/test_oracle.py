"""The oracle finds each breach of a promise and takes nothing for one that is as promised."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.emulator.http import Received

from .cases import Case, Trouble, What, draw
from .evidence import Cancel, Done, Evidence, Scan
from .journal import Entry
from .oracle import NOT_PROVEN_OURS, Promise, judge
from .report import Verdict, table

#: Processes begin at 10, 20 and so on.
FIRST, SECOND = (Entry("execute", number, 100 + number, 1, number, 10.0 * number) for number in (1, 2))


def scan(name: str, began: float, ended: float | None, status: str = "SUCCESS", process: int = 1, **more: Any) -> Scan:
    return Scan(name, began, ended, status, process, **more)


def at(what: What, moment: float, **more: Any) -> Done:
    return Done(what, moment, moment + 0.1, **{"state": "running"} | more)


def seen(
    *scans: Scan,
    variant: str = "plain",
    outcome: str = "SUCCESS",
    trouble: Trouble | None = None,
    source_filter: str = "honoured",
    **more: Any,
) -> Evidence:
    usual: dict[str, Any] = {
        "state": "success",
        "swept": frozenset("a"),
        "entries": (FIRST, SECOND),
        "once_task_id": "a",
    }
    case = Case("case", variant=variant, outcome=outcome, trouble=trouble, source_filter=source_filter)
    return Evidence(case, "run", 0.0, scans=scans, **usual | more)


GOOD = scan("a", 11, 30)

AS_PROMISED = {
    "one scan that succeeded": seen(GOOD),
    "killed, and attached to": seen(GOOD, done=(at(What.KILL_BOTH, 15),)),
    "another scan after a failed one": seen(scan("b", 11, 15, "FAIL"), scan("a", 21, 30, process=2)),
    "a clear that replaces": seen(
        scan("b", 11, 20.5, "FAIL"),
        scan("a", 21, 30, process=2),
        done=(at(What.CLEAR, 15),),
        cancels=(Cancel("b", 20.4, "process-2"),),
    ),
    "a clear whose two tries cross": seen(
        scan("b", 11, 21.5, "FAIL"),
        scan("a", 21, 30, process=2),
        done=(at(What.CLEAR, 15),),
        cancels=(Cancel("b", 21.5, "emulator-key"),),
    ),
    "ended by a user": seen(
        scan("a", 11, 16, "FAIL"), done=(at(What.MARK_FAILED, 15),), cancels=(Cancel("a", 16, "x"),), state="failed"
    ),
    "ended by a user, and not to be cancelled": seen(
        scan("a", 11, None), variant="not cancelling", done=(at(What.MARK_FAILED, 15),), state="failed"
    ),
    "cancelled at the deadline": seen(
        scan("a", 11, 30, "FAIL"), variant="soon late", cancels=(Cancel("a", 30, "process-1"),), state="failed"
    ),
    "red because the scan failed": seen(scan("a", 11, 30, "FAIL"), outcome="FAIL", state="failed"),
    "red because its only try was killed": seen(
        GOOD, variant="no retries", done=(at(What.KILL_BOTH, 15),), state="failed"
    ),
    "a colleague's scan beside it": seen(scan("b", 9, 40, process=0, theirs=True), GOOD),
}

BROKEN = {
    "a second scan while the first runs": (
        Promise.DUPLICATE,
        seen(scan("b", 11, 30), scan("a", 21, 30, process=2), done=(at(What.KILL_BOTH, 15),)),
    ),
    "a second scan after a success": (Promise.DUPLICATE, seen(scan("b", 11, 20), scan("a", 21, 30, process=2))),
    "the replaced scan runs on": (
        Promise.DUPLICATE,
        seen(scan("b", 11, 30), scan("a", 21, 30, process=2), done=(at(What.CLEAR, 15),)),
    ),
    "two scans for one clear": (
        Promise.DUPLICATE,
        seen(
            scan("c", 11, 20, "FAIL"),
            scan("b", 21, 30, process=2),
            scan("a", 22, 30, process=2),
            done=(at(What.CLEAR, 15),),
        ),
    ),
    "a scan that is started after the user's end": (
        Promise.DUPLICATE,
        seen(scan("a", 21, 30, "FAIL", process=2), done=(at(What.MARK_FAILED, 15),), state="failed"),
    ),
    "a scan that outlives its user's end": (
        Promise.LEFT,
        seen(scan("a", 11, None, "START"), done=(at(What.MARK_FAILED, 15),), state="failed"),
    ),
    "a scan between tries that is not swept": (
        Promise.LEFT,
        seen(
            scan("a", 11, None, "START"),
            done=(at(What.MARK_FAILED, 15, state="up_for_retry"),),
            state="failed",
            swept=frozenset(),
        ),
    ),
    "a deferred scan that outlives its user's end": (
        Promise.LEFT,
        seen(
            scan("a", 11, None, "START"),
            entries=(FIRST, Entry("execute raises TaskDeferred", 1, 101, 1, 1, 12.0)),
            done=(at(What.MARK_FAILED, 30, state="deferred"),),
            state="failed",
        ),
    ),
    "a scan that outlives its success": (Promise.LEFT, seen(GOOD, scan("b", 31, None, "START", process=2))),
    "a cancel that nobody asked for": (
        Promise.UNASKED,
        seen(scan("a", 11, 16, "FAIL"), done=(at(What.TERM_SUPERVISOR, 15),), cancels=(Cancel("a", 16, "process-1"),)),
    ),
    "a cancel of a colleague's scan": (
        Promise.UNASKED,
        seen(
            scan("b", 9, 16, "FAIL", process=0, theirs=True),
            GOOD,
            done=(at(What.MARK_FAILED, 15),),
            cancels=(Cancel("b", 16, "x"),),
            state="failed",
        ),
    ),
    "a cancel of the scan that a clear asked for": (
        Promise.UNASKED,
        seen(
            scan("b", 11, 16, "FAIL"),
            scan("a", 21, 25, "FAIL", process=2),
            done=(at(What.CLEAR, 15),),
            cancels=(Cancel("b", 16, "process-1"), Cancel("a", 25, "emulator-key")),
        ),
    ),
    "a cancel by a task that cancels nothing": (
        Promise.UNASKED,
        seen(
            scan("a", 11, 16, "FAIL"),
            variant="not cancelling",
            done=(at(What.MARK_FAILED, 15),),
            cancels=(Cancel("a", 16, "x"),),
            state="failed",
        ),
    ),
    "green with a scan that failed": (Promise.FALSE_GREEN, seen(scan("a", 11, 30, "FAIL"))),
    "green with no scan": (Promise.FALSE_GREEN, seen(once_task_id=None)),
    "green with a colleague's scan": (Promise.FALSE_GREEN, seen(scan("a", 9, 30, process=0, theirs=True))),
    "red before the tries are used up": (Promise.FALSE_RED, seen(GOOD, done=(at(What.KILL_BOTH, 15),), state="failed")),
    "no end": (Promise.STUCK, seen(GOOD, stuck=True, state="running")),
}


@pytest.mark.parametrize("name", AS_PROMISED)
def test_what_is_as_promised_is_no_finding(name: str) -> None:
    assert judge(AS_PROMISED[name]) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_breach_is_found(name: str) -> None:
    promise, evidence = BROKEN[name]
    findings = judge(evidence)
    assert promise in [finding.promise for finding in findings]
    assert not any(finding.known for finding in findings)


@pytest.mark.parametrize(
    ("known", "evidence"),
    [
        (
            "no process of it lived when a user ended it",
            seen(scan("a", 11, None), done=(at(What.MARK_FAILED, 15, state="up_for_retry"),), state="failed"),
        ),
        (
            "no process of it lived when a user ended it",
            seen(
                scan("a", 11, None),
                entries=(FIRST,),
                done=(at(What.KILL_BOTH, 15), at(What.MARK_FAILED, 16)),
                state="failed",
            ),
        ),
        (
            "a user ended it in the moment of its deferral",
            seen(
                scan("a", 11, None),
                entries=(FIRST, Entry("execute raises TaskDeferred", 1, 101, 1, 1, 12.0)),
                done=(at(What.MARK_FAILED, 13, state="deferred"),),
                state="failed",
            ),
        ),
        (
            "killed in its last try",
            seen(scan("a", 11, None), variant="no retries", done=(at(What.KILL_BOTH, 15),), state="failed"),
        ),
        (
            "the service did not answer when a user ended it",
            seen(
                scan("a", 11, None),
                entries=(FIRST,),
                done=(at(What.MARK_FAILED, 15),),
                state="failed",
                trouble=Trouble("connections are refused", 9),
                trouble_began=12.0,
            ),
        ),
        (
            NOT_PROVEN_OURS,
            seen(
                scan("b", 11, 40),
                scan("a", 21, 30, process=2),
                done=(at(What.CLEAR, 15),),
                source_filter="ignored",
                log=(
                    Received(
                        action="DescribeOnceTask", params={}, arrived=12.0, method="POST", access_key_id="process-1"
                    ),
                ),
            ),
        ),
        ("the scheduler took a deferral for a failure", seen(GOOD, races=2, state="failed")),
    ],
)
def test_what_is_known_not_to_be_kept_is_told_apart(known: str, evidence: Evidence) -> None:
    assert [finding.known for finding in judge(evidence)] == [known]


def test_a_round_is_the_same_whenever_it_is_drawn() -> None:
    assert draw(7, 3, 8) == draw(7, 3, 8) != draw(7, 4, 8)


def test_a_task_counts_for_everything_that_was_done_to_it() -> None:
    verdicts = [Verdict(evidence, judge(evidence)) for _, evidence in BROKEN.values()]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(verdicts).splitlines()]
    counts = {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]}
    assert counts["all tasks"]["tasks"] == str(len(BROKEN))
    assert counts["all tasks"]["stuck"] == "1"
    assert int(counts["clear"]["tasks"]) == sum(any(d.what is What.CLEAR for d in e.done) for _, e in BROKEN.values())
