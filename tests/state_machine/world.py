"""One clock, one Security Account, and everything that happens, in the order of its time. Nothing waits in real time.

What a process wants done is a :class:`Pending`: it comes at its own time, and until then anything else can happen.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from airflow_provider_aegis.emulator.account import Account
from airflow_provider_aegis.emulator.authentication import Key
from airflow_provider_aegis.emulator.faults import NO_FAULT, Fault
from airflow_provider_aegis.emulator.http import HttpResponse, Received, Request
from airflow_provider_aegis.emulator.settings import Settings, changed
from airflow_provider_aegis.emulator.tasks import Task
from tests.fakes import KEYS, FakeClock

T = TypeVar("T")

# Seconds that a request or an answer is on its way.
ON_THE_WAY = 0.02
MOST_EVENTS = 50_000


class Pending(Generic[T]):
    """What was asked for and has not come yet."""

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []

    def resolve(self, value: T | None = None, *, error: BaseException | None = None) -> None:
        """Let it come; what comes later is too late."""
        if self.done:
            return
        self.done, self._value, self._error = True, value, error
        for callback in self._callbacks:
            callback()

    def then(self, callback: Callable[[], None]) -> None:
        """Call back when it comes."""
        self._callbacks.append(callback)

    def result(self) -> T:
        """Return what came, or raise it."""
        if self._error:
            raise self._error
        return self._value  # type: ignore[return-value]


@dataclass(frozen=True)
class NoReply:
    """What comes back in place of an answer.

    :param sent: whether the request can have arrived.
    """

    why: str
    sent: bool = True


Came: TypeAlias = HttpResponse | NoReply


class Sender(Protocol):
    """Whoever sends requests: a task's process, or its trigger."""

    name: str
    alive: bool


class Watcher(Protocol):
    """Looks at what goes to Security Account and comes back."""

    def sent(self, sender: Sender, request: Request) -> None:
        """A request is on its way."""

    def carried_out(self, sender: Sender, request: Request, started: Task | None, fault: Fault) -> None:
        """Security Account has dealt with it, in whatever way.

        :param started: the scan that it started.
        """

    def answered(self, sender: Sender, request: Request, reply: HttpResponse) -> None:
        """The answer has reached its sender."""


@dataclass(order=True)
class Event:
    """Something that is going to happen."""

    due: float
    number: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


class World:
    """Everything that there is.

    :ivar history: what happened, for whoever reads a failure.
    :ivar unreachable_until: before that no connection to Security Account comes about.
    """

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.account = Account(
            keys={KEYS.access_key_id: Key(KEYS.access_key_secret.reveal())},
            settings=changed(Settings(requests_per_second=0), **settings),
            clock=self.clock,
        )
        self.watchers: list[Watcher] = []
        self.history: list[str] = []
        self.unreachable_until = 0.0
        self._events: list[Event] = []
        self._numbers = itertools.count()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.monotonic()

    @property
    def settings(self) -> Settings:
        """How Security Account behaves."""
        return self.account._tasks.settings

    @property
    def scans(self) -> list[Task]:
        """All scans of the account, oldest first."""
        return list(self.account._tasks._tasks.values())

    def runs(self, scan: Task) -> bool:
        """Whether a scan runs, whatever the service says of it."""
        return self.now < scan.end

    def note(self, text: str) -> None:
        """Write a line of history."""
        self.history.append(f"{self.now:10.2f}  {text}")

    def after(self, seconds: float, action: Callable[[], None]) -> Event:
        """Let something happen later."""
        event = Event(self.now + max(0.0, seconds), next(self._numbers), action)
        heapq.heappush(self._events, event)
        return event

    def sleep(self, seconds: float) -> Pending[None]:
        """Return what comes after so many seconds."""
        pending: Pending[None] = Pending()
        self.after(seconds, pending.resolve)
        return pending

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass.

        :param until: stop as soon as this is so.
        :return: whether it was.
        """
        end = self.now + seconds
        for _ in range(MOST_EVENTS):
            if until():
                return True
            if not self.step(end):
                self.clock.advance(max(0.0, end - self.now))
                return False
        raise AssertionError(f"more than {MOST_EVENTS} things happened within {seconds:g} s")

    def step(self, end: float = float("inf")) -> bool:
        """Let the next thing happen; return whether there was one before the end."""
        while self._events and self._events[0].due <= end:
            event = heapq.heappop(self._events)
            if not event.cancelled:
                self.clock.advance(max(0.0, event.due - self.now))
                event.action()
                return True
        return False

    def send(self, request: Request, sender: Sender, limit: float) -> Pending[Came]:
        """Put a request on its way.

        :param limit: seconds that the sender waits for the answer.
        """
        came: Pending[Came] = Pending()
        if self.now < self.unreachable_until:
            self.after(ON_THE_WAY, lambda: came.resolve(NoReply("the network is down", sent=False)))
            return came
        self.after(0.0, lambda: self._announce(request, sender))
        self.after(limit, lambda: came.resolve(NoReply(f"no answer after {limit:g} s")))
        self.after(ON_THE_WAY, lambda: self._arrive(request, sender, came))
        return came

    def carry_out(self, request: Request) -> HttpResponse:
        """Carry out on the spot what a colleague asks for; no fault meets it."""
        line = Received(action=request.action, params={}, arrived=self.now, method="POST", access_key_id="")
        return self.account.answer(request, line, NO_FAULT)

    def _announce(self, request: Request, sender: Sender) -> None:
        for watcher in self.watchers:
            watcher.sent(sender, request)

    def _arrive(self, request: Request, sender: Sender, came: Pending[Came]) -> None:
        if not sender.alive:
            return
        line, fault = self.account.arrive(request)
        before = 0.0 if fault.after else fault.delay

        def carry_out() -> None:
            known = len(self.scans)
            reply = self.account.answer(request, line, fault)
            started = self.scans[-1] if len(self.scans) > known else None
            for watcher in self.watchers:
                watcher.carried_out(sender, request, started, fault)
            self.after(ON_THE_WAY + fault.delay - before, lambda: self._deliver(request, reply, sender, came))

        self.after(before, carry_out)

    def _deliver(self, request: Request, reply: HttpResponse, sender: Sender, came: Pending[Came]) -> None:
        if sender.alive and not came.done and not reply.hangup:
            for watcher in self.watchers:
                watcher.answered(sender, request, reply)
        came.resolve(NoReply(f"the connection ended: {reply.hangup}") if reply.hangup else reply)
