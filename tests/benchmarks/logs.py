"""How many log lines the wait for a scan of half an hour leaves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_aegis.client.errors import SecurityCenterError, UnreachableError
from airflow_provider_aegis.client.flows.exchange import Send
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import Outcome, wait
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge
from airflow_provider_aegis.client.protocol.responses import Response
from tests.benchmarks.table import Row, table
from tests.fakes import READ, Stage, answer, config

LENGTH = 1800.0
# The usual: ask every 30 seconds, and say so every time.
PEER_LINES = LENGTH / 30
MOST_READS = 1000


class Lines(logging.Handler):
    """Counts what is logged at INFO and above."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


@contextmanager
def counted() -> Iterator[Lines]:
    """Count what the package logs meanwhile."""
    logger, lines = logging.getLogger("airflow_provider_aegis"), Lines()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)
        logger.propagate = propagate


def lines(outage: tuple[float, float] | None = None) -> int:
    """Wait for a scan that tells its progress, and count the lines.

    :param outage: between which seconds nothing answers.
    """
    stage = Stage(config())

    def reply(_: Send) -> Response | SecurityCenterError:
        now = stage.clock.monotonic()
        if outage and outage[0] <= now < outage[1]:
            return UnreachableError("could not connect")
        share = min(1.0, now / LENGTH)
        status = "INIT" if share < 0.02 else "START" if share < 1 else "SUCCESS"
        payload = {"RequestId": "R", "TotalCount": 1000, "FinishCount": int(1000 * share)}
        return answer({**payload, "TaskInfo": {"Status": status}})

    stage.replies = [reply] * MOST_READS
    with counted() as logged:
        ending = stage.run_flow(
            wait(
                stage.config,
                READ,
                judge=OnceTaskJudge(),
                poll_interval=PollInterval(30.0, 300.0),
                first_delay=10.0,
            )
        )
    assert ending.outcome is Outcome.SUCCESS
    return logged.count


def report() -> str:
    """Count the lines of a quiet scan, and of one with an outage."""
    return table(
        "Log lines at INFO and above in a scan of 30 minutes",
        "a line for each poll, every 30 s, as operators usually leave",
        [
            Row("all goes well", lines(), PEER_LINES, at_most=6),
            Row("five minutes without an answer", lines((600.0, 900.0)), PEER_LINES, at_most=6),
        ],
    )
