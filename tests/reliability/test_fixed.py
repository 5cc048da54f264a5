"""A short selection of the nastiest cases, each the same every time: in a real Airflow on Postgres, in two minutes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .cases import Act, Blow, Case, Moment, Round, Trouble, What
from .report import broken, story
from .soak import Soak

pytestmark = pytest.mark.e2e

SLOW = Trouble("the start's answer is slow", 6)
LOST = Trouble("the start's answer is lost", 0)

#: All of them run at the same time.
ALONE = (
    Case("a worker is killed as soon as the scan runs", hold=30, acts=(Act(What.KILL_BOTH, Moment.STARTED, 0),)),
    Case("a pod is evicted", hold=30, acts=(Act(What.EVICT, Moment.READ, 1),)),
    Case(
        "cleared while the start's answer is on its way",
        trouble=SLOW,
        hold=30,
        acts=(Act(What.CLEAR, Moment.REQUEST, 1),),
    ),
    Case(
        "killed within the start and then cleared",
        trouble=SLOW,
        hold=30,
        acts=(Act(What.KILL_BOTH, Moment.REQUEST, 1), Act(What.CLEAR, Moment.REQUEST, 1)),
    ),
    Case(
        "another task is cleared while this one has no worker",
        hold=30,
        acts=(Act(What.KILL_BOTH, Moment.READ, 0), Act(What.CLEAR_OTHER, Moment.READ, 0.5)),
    ),
    Case(
        "a colleague scans and the start's answer is lost",
        deferrable=True,
        trouble=LOST,
        acts=(Act(What.COLLEAGUE, Moment.PROCESS, 0), Act(What.MARK_FAILED, Moment.DEFERRED, 3)),
    ),
    Case(
        "two cancels fail",
        deferrable=True,
        trouble=Trouble("two cancels are answered 503", 0),
        acts=(Act(What.MARK_SUCCESS, Moment.DEFERRED, 3),),
    ),
    Case("cleared while deferred", deferrable=True, hold=30, acts=(Act(What.CLEAR, Moment.DEFERRED, 3),)),
)
STRUCK = tuple(
    Case(f"{'deferred' if deferrable else 'on a worker'} {number}", deferrable=deferrable, hold=25)
    for deferrable in (False, True)
    for number in range(4)
)


@pytest.fixture(scope="module")
def airflow() -> Iterator[Soak]:
    with Soak(len(ALONE)) as soak:
        yield soak


@pytest.mark.parametrize(
    "cases",
    [Round(0, ALONE), Round(1, STRUCK, Blow.KILL_SCHEDULER, at=14, gap=1)],
    ids=["each task is hit", "the scheduler is killed"],
)
def test_every_promise_is_kept(cases: Round, airflow: Soak) -> None:
    verdicts = airflow.run(cases)
    stories = [line for verdict in verdicts if verdict.findings for line in story(verdict)]
    assert not broken(verdicts), "\n".join(stories)
