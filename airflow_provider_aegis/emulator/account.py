"""A whole Security Center without its network: requests in, answers out, and the verbs that control it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from email.utils import formatdate
from threading import RLock
from typing import Any

from airflow_provider_aegis.client.config import Clock
from airflow_provider_aegis.client.protocol.operations import VERSION
from airflow_provider_aegis.emulator.authentication import Authenticator, Key, read_authorization
from airflow_provider_aegis.emulator.errors import EmulatedError, envelope, no_permission
from airflow_provider_aegis.emulator.faults import ANYWHERE, Fault, FaultPlan
from airflow_provider_aegis.emulator.http import HttpResponse, Received, Request, json_response, new_request_id
from airflow_provider_aegis.emulator.operations import carry_out, find_operation
from airflow_provider_aegis.emulator.quirks import apply_quirks
from airflow_provider_aegis.emulator.request_log import RequestLog, cut, cut_params
from airflow_provider_aegis.emulator.settings import Int32, Seconds, Settings, Share, changed, check
from airflow_provider_aegis.emulator.tasks import TaskStore


class Account:
    """Everything that the emulator knows. One lock guards it, so any thread may use it.

    :param keys: the access keys by their ids.
    :param settings: how it behaves to begin with.
    :param clock: what time it is.
    """

    def __init__(self, *, keys: Mapping[str, Key], settings: Settings, clock: Clock) -> None:
        self._lock = RLock()
        self._clock = clock
        self._first_keys = dict(keys)
        self._first_settings = settings
        self.reset()

    def arrive(self, request: Request) -> tuple[Received, Fault]:
        """Take a request down, before anything else is done with it.

        :return: its line in the log, and what is to go wrong with it.
        """
        with self._lock:
            now = self._clock.monotonic()
            claim = read_authorization(request)
            line = Received(
                action=cut(request.action),
                params=cut_params(dict(request.pairs)),
                arrived=now,
                method=cut(request.method),
                access_key_id=cut(claim.access_key_id) if claim else "",
            )
            self._requests[line.action] += 1
            self._log.append(line)
            return line, self._faults.pick(request.action, now=now)

    def answer(self, request: Request, line: Received, fault: Fault) -> HttpResponse:
        """Answer a request that has arrived.

        :param line: its line in the log, which is completed.
        :param fault: what goes wrong with it.
        """
        with self._lock:
            carried_out = self._handle(request) if fault.lets_through else None
            reply = fault.spoil(request, carried_out)
            line.status, line.code = (0 if reply.hangup else reply.status), reply.code
            date = formatdate(self._now(), usegmt=True)
            return replace(reply, headers={"Date": date, **reply.headers})

    def inject(
        self,
        action: str,
        fault: Mapping[str, Any],
        times: int | None = None,
        seconds: float | None = None,
        probability: float | None = None,
    ) -> None:
        """Let something go wrong; see :meth:`Controls.inject`."""
        check("times", times, Int32 | None)
        check("seconds", seconds, Seconds | None)
        check("probability", probability, Share | None)
        with self._lock:
            if times is None and seconds is None and probability is None:
                times = 1
            until = None if seconds is None else self._clock.monotonic() + seconds
            share = 1.0 if probability is None else probability
            self._faults.inject(action, Fault.from_json(fault), times=times, until=until, probability=share)

    def heal(self) -> None:
        """Drop the faults that were injected."""
        with self._lock:
            self._faults = FaultPlan()

    def set(self, **settings: Any) -> None:
        """Change settings."""
        with self._lock:
            self._tasks.settings = changed(self._tasks.settings, **settings)

    @property
    def latency(self) -> float:
        """Seconds before each answer."""
        return self._tasks.settings.latency

    def finish(self, task_id: str, outcome: str = "SUCCESS") -> None:
        """End a task."""
        with self._lock:
            self._tasks.finish(task_id, outcome)

    def add_key(self, access_key_id: str, secret: str, token: str | None = None, seconds: float | None = None) -> None:
        """Make a key known."""
        with self._lock:
            self._gate.add(access_key_id, Key(secret, token, seconds), monotonic=self._clock.monotonic())

    def revoke(self, access_key_id: str) -> None:
        """Disable a key."""
        with self._lock:
            self._gate.switch(access_key_id, active=False)

    def restore(self, access_key_id: str) -> None:
        """Enable a key."""
        with self._lock:
            self._gate.switch(access_key_id, active=True)

    def reset(self) -> None:
        """Be as at the beginning."""
        with self._lock:
            self._tasks = TaskStore(clock=self._clock, settings=self._first_settings)
            self._gate = Authenticator()
            for access_key_id, key in self._first_keys.items():
                self._gate.add(access_key_id, key, monotonic=self._clock.monotonic())
            self._faults = FaultPlan()
            self._requests: Counter[str] = Counter()
            self._log = RequestLog()
            self._let_through: dict[str, deque[float]] = {}

    def state(self) -> dict[str, Any]:
        """Say all but the secrets, as what JSON can hold."""
        with self._lock:
            return {
                "requests": dict(self._requests),
                "started": list(self._tasks.started),
                "cancelled": list(self._tasks.cancelled),
                "running": [task.task_id for task in self._tasks.running()],
                "tasks": [asdict(task) for task in self._tasks.newest()],
                "virus_scans": list(self._tasks.virus_scans),
                "keys": self._gate.access_key_ids,
                "settings": asdict(self._tasks.settings),
            }

    def log(self) -> list[dict[str, Any]]:
        """Say which requests came, as what JSON can hold."""
        with self._lock:
            return [asdict(line) for line in self._log]

    def _handle(self, request: Request) -> HttpResponse:
        settings = self._tasks.settings
        try:
            access_key_id = self._gate.admit(request, now=self._now(), monotonic=self._clock.monotonic())
            payload = self._perform(request, access_key_id)
        except EmulatedError as refusal:
            reply = envelope(refusal, request)
            return replace(reply, status=200) if settings.errors_as_200 else reply
        apply_quirks(payload, settings)
        return json_response({"RequestId": new_request_id(), **payload})

    def _perform(self, request: Request, access_key_id: str) -> dict[str, Any]:
        action, denied = request.action, self._tasks.settings.denied
        if request.method not in ("GET", "POST") or request.path != "/" or request.headers["x-acs-version"] != VERSION:
            raise EmulatedError("InvalidAction.NotFound")
        operation = find_operation(action)
        if action in denied or ANYWHERE in denied:
            raise no_permission(action, access_key_id)
        self._check_rate(action)
        return carry_out(operation, self._tasks, dict(request.pairs))

    def _check_rate(self, action: str) -> None:
        limit, now = self._tasks.settings.requests_per_second, self._clock.monotonic()
        if limit <= 0:
            return
        lately = self._let_through.setdefault(action, deque())
        while lately and now - lately[0] >= 1:
            lately.popleft()
        if len(lately) >= limit:
            wait = 1000 * (1 - (now - lately[-limit]))
            raise EmulatedError("Throttling.User", headers={"x-acs-retry-after": str(int(wait) + 1)})
        lately.append(now)

    def _now(self) -> float:
        return self._clock.time() + self._tasks.settings.clock_skew
