"""Many processes that share a quota and do not know of each other: the real flows, and a clock that jumps.

``python -m tests.benchmarks.fleet_simulation`` prints how each scenario goes.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials.base import StaticCredentials
from airflow_provider_aegis.client.flows import rate_limit
from airflow_provider_aegis.client.flows.exchange import Authenticate, Send, Sleep
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.rate_limit import RateLimiter
from airflow_provider_aegis.client.flows.wait import wait
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge, OnceTaskRef
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import FakeClock

# One way of a request or its answer, and how late a sleeper wakes, on a machine with several processes for each core.
LATENCY_SECONDS = (0.005, 0.08)
OVERSLEPT_SECONDS = (0.0, 0.02)
LONGEST_SECONDS = 900.0
POLL_INTERVAL = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens.

    :param quota: requests that the service lets through in any second.
    :param ends: when all tasks are over.
    :param storm: share of the answers that are refusals all the same, from ``storm_from`` until ``storm_until``.
    """

    processes: int = 16
    waits: int = 25
    quota: int | None = None
    ends: float = 60.0
    storm: float = 0.0
    storm_from: float = 0.0
    storm_until: float = 0.0
    retry_after: float | None = 0.5


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    :param last: seconds from the end of the tasks until the last wait saw it.
    :param refused: share of the requests.
    """

    last: float
    refused: float
    requests: int


SCENARIOS = {
    "overload": Scenario(quota=10),
    "overload, few processes": Scenario(quota=10, processes=4, waits=100),
    "overload, more processes": Scenario(quota=10, processes=20, waits=20),
    "storm": Scenario(processes=1, ends=20.0, storm=0.5, storm_until=45.0),
    "storm after calm": Scenario(processes=1, ends=80.0, storm=0.5, storm_until=105.0),
    "storm over a fleet": Scenario(quota=10, waits=5, ends=20.0, storm=0.5, storm_until=45.0),
    "storm, no time to wait named": Scenario(
        quota=10, waits=5, ends=20.0, storm=0.5, storm_until=45.0, retry_after=None
    ),
    "storm over many, without a quota": Scenario(ends=20.0, storm=0.5, storm_until=45.0),
    "short trouble": Scenario(
        processes=1, waits=18, ends=36.0, storm=0.2, storm_from=30.0, storm_until=36.0, retry_after=0.2
    ),
    "no trouble": Scenario(processes=1),
}


def play(scenario: Scenario, *, seed: int) -> Result:
    """Play a scenario to its end."""
    return _Play(scenario, seed).run()


class Unadapted(RateLimiter):
    """What a process does that knows its own ceiling alone."""

    @property
    def rate(self) -> float:
        return self.ceiling


class _Play:
    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.rng = random.Random(seed)
        self.seed = seed
        self.clock = FakeClock()
        self.events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.order = itertools.count()
        self.lately: deque[float] = deque()
        self.sent = self.refused = 0
        self.seen: list[float] = []

    def run(self) -> Result:
        for process in range(self.scenario.processes):
            begins = self.rng.uniform(0, 2)
            keys = Credentials(f"process {process}", "s")
            config = ClientConfig(
                endpoint=Endpoint("https", "h"),
                credentials=StaticCredentials(keys),
                clock=self.clock,
                rng=random.Random(self.seed * 1000 + process),
            )
            for number in range(self.scenario.waits):
                call = OnceTaskRef(once_task_id=f"{process}-{number}", once_task_type="T").read()
                delay = self.rng.uniform(0, POLL_INTERVAL)
                pace = PollInterval(POLL_INTERVAL, POLL_INTERVAL)
                flow = wait(config, call, judge=OnceTaskJudge(), poll_interval=pace, first_delay=delay)
                self._at(begins, self._step, flow, keys, None)
        while self.events:
            self.clock.now, _, action, arguments = heapq.heappop(self.events)
            assert self.clock.now < LONGEST_SECONDS
            action(*arguments)
        assert len(self.seen) == self.scenario.processes * self.scenario.waits
        return Result(max(self.seen) - self.scenario.ends, self.refused / self.sent, self.sent)

    def _at(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self.events, (when, next(self.order), action, arguments))

    def _step(self, wait: Any, keys: Credentials, reply: Any) -> None:
        while True:
            try:
                command = wait.send(reply)
            except StopIteration:
                self.seen.append(self.clock.now)
                return
            match command:
                case Authenticate():
                    reply = keys
                case Sleep(seconds):
                    late = self.rng.uniform(*OVERSLEPT_SECONDS)
                    self._at(self.clock.now + seconds + late, self._step, wait, keys, None)
                    return
                case Send():
                    self._at(self.clock.now + self.rng.uniform(*LATENCY_SECONDS), self._arrive, wait, keys)
                    return

    def _arrive(self, wait: Any, keys: Credentials) -> None:
        self.sent += 1
        answer = self._answer()
        self.refused += answer.status != 200
        self._at(self.clock.now + self.rng.uniform(*LATENCY_SECONDS), self._step, wait, keys, answer)

    def _answer(self) -> Response:
        now, scenario = self.clock.now, self.scenario
        if scenario.storm_from <= now < scenario.storm_until and self.rng.random() < scenario.storm:
            return _refusal(scenario.retry_after)
        if scenario.quota:
            while self.lately and now - self.lately[0] >= 1:
                self.lately.popleft()
            if len(self.lately) >= scenario.quota:
                return _refusal(1 - (now - self.lately[0]) + 0.001)
            self.lately.append(now)
        word = "SUCCESS" if now >= scenario.ends else "PROCESSING"
        return Response(200, {}, json.dumps({"RequestId": "R", "TaskInfo": {"Status": word}}).encode())


def _refusal(retry_after: float | None) -> Response:
    headers = {"x-acs-retry-after": str(int(retry_after * 1000) or 1)} if retry_after else {}
    return Response(400, headers, b'{"RequestId": "R", "HostId": "h", "Code": "Throttling.User", "Message": "No."}')


@contextmanager
def limited_by(limiter: type[RateLimiter]) -> Iterator[None]:
    """Have processes use a rate limiter of this kind, and none of an earlier play."""
    rate_limit._limiters.clear()
    with mock.patch.object(rate_limit, "RateLimiter", limiter):
        yield
    rate_limit._limiters.clear()


if __name__ == "__main__":
    import logging
    import sys

    logging.disable(logging.CRITICAL)
    seeds = range(1, int(sys.argv[1]) + 1 if sys.argv[1:] else 4)
    for name, scenario in SCENARIOS.items():
        for kind in (RateLimiter, Unadapted):
            results = []
            for seed in seeds:
                with limited_by(kind):
                    results.append(play(scenario, seed=seed))
            lasts = " ".join(f"{one.last:6.1f}" for one in results)
            shares = " ".join(f"{one.refused:5.0%}" for one in results)
            print(f"{name:30} {kind.__name__:12} last end seen after {lasts} s, refused {shares}")
