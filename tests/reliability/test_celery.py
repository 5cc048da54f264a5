"""A Celery worker that is shut down cancels nothing: warm it waits for its tasks, cold the next try attaches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import redis

from .cases import Blow, Case, Round
from .report import story
from .soak import Soak

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def airflow() -> Iterator[Soak]:
    if not redis.install():
        pytest.skip("SKIPPED: redis-server is missing, and only root on a Debian can have it installed.")
    with Soak(6, celery=True) as soak:
        yield soak


@pytest.mark.parametrize("blow", [Blow.WARM_SHUTDOWN, Blow.COLD_SHUTDOWN], ids=["warm", "cold"])
def test_a_shutdown_of_the_worker_cancels_nothing(blow: Blow, airflow: Soak) -> None:
    names = ("worker", "worker", "worker", "worker", "deferred", "deferred")
    cases = [
        Case(f"{blow.name}-{name}-{number}", deferrable=name == "deferred", hold=30)
        for number, name in enumerate(names)
    ]
    verdicts = airflow.run(Round(0, tuple(cases), blow, at=20, gap=3))
    stories = "\n".join(line for verdict in verdicts for line in story(verdict))
    assert not [finding for verdict in verdicts for finding in verdict.findings], stories
    for verdict in verdicts:
        assert verdict.seen.state == "success", stories
        assert verdict.seen.cancels == (), stories
        assert len(verdict.seen.scans) == 1, stories
    tries = {verdict.seen.try_number for verdict in verdicts if not verdict.seen.case.deferrable}
    assert tries == {1 if blow is Blow.WARM_SHUTDOWN else 2}, stories
