"""A task's process on a worker: its code stands still at every command, and there signals meet it, SIGKILL too."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from tests.state_machine.world import Pending, World

T = TypeVar("T")


class Killed(BaseException):
    """SIGKILL: nothing of the process runs any more."""


class Worker:
    """A process.

    :param code: what its main thread does; when that is over the process is.
    :param on_term: its handler of SIGTERM, which runs wherever the main thread stands; the code goes on after it.
    :param on_exit: called once the process is gone, in whatever way.
    :ivar alive: whether it is there.
    :ivar terminated_at: when it was sent SIGTERM first, by the world's time.
    :ivar killed_at: when it was sent SIGKILL.
    :ivar at_exit: what the main thread does before an orderly end.
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        code: Callable[[], None],
        on_term: Callable[[], None],
        on_exit: Callable[[], None],
    ) -> None:
        self.world, self.name = world, name
        self.alive = True
        self.terminated_at = self.killed_at = math.inf
        self.at_exit: list[Callable[[], Any]] = []
        self._code, self._on_term, self._on_exit = code, on_term, on_exit
        self._main = Strand(self, self._run)
        self._strands = [self._main]
        self._signals = 0
        self._errors: list[BaseException] = []
        self._channel: list[Pending[None]] = []

    def launch(self) -> None:
        """Let it run to its first command."""
        self._main.launch()

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self.alive:
            self.terminated_at = min(self.terminated_at, self.world.now)
            self._signals += 1
            self._main.go_on()

    def interrupt(self, error: BaseException) -> None:
        """Raise an error wherever the main thread stands, as Airflow does with SIGALRM."""
        if self.alive:
            self._errors.append(error)
            self._main.go_on()

    def kill(self) -> None:
        """Send SIGKILL."""
        if self.alive:
            self.killed_at = self.world.now
            self.end()

    def end(self) -> None:
        """Let all that is left of it be gone."""
        self.alive = False
        for strand in self._strands:
            strand.kill()
        self._on_exit()

    def begin_thread(self, code: Callable[[], None]) -> Strand:
        """Let a thread beside the main one run."""
        strand = Strand(self, code)
        self._strands.append(strand)
        self.world.after(0.0, lambda: strand.launch() if self.alive else None)
        return strand

    def handle_signals(self) -> None:
        """Run the handler for each signal that came, and raise what interrupts."""
        while self._signals:
            self._signals -= 1
            self._on_term()
        if self._errors:
            raise self._errors.pop()

    def ask(self, question: Callable[[], Pending[T]]) -> T:
        """Ask the supervisor. There is one channel to it, and whoever finds it held waits: for ever in a handler that
        interrupted the holder.
        """
        turn: Pending[None] = Pending()
        self._channel.append(turn)
        if self._channel[0] is turn:
            turn.resolve()
        strand = Strand.current()
        try:
            strand.wait(turn)
            return strand.wait(question())
        finally:
            self._channel.remove(turn)
            if self._channel:
                self.world.after(0.0, self._channel[0].resolve)

    def _run(self) -> None:
        self._code()
        for last in self.at_exit:
            last()


class Strand(threading.Thread):
    """A thread of a process. It moves only while the world waits for it."""

    def __init__(self, process: Worker, code: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.over: Pending[None] = Pending()
        self._code = code
        self._crash: BaseException | None = None
        self._awaited: Pending[Any] | None = None
        self._may_run, self._stands = threading.Lock(), threading.Lock()
        self._may_run.acquire()
        self._stands.acquire()

    @staticmethod
    def current() -> Strand:
        """The thread whose code runs here."""
        strand = threading.current_thread()
        assert isinstance(strand, Strand)
        return strand

    # --- what the world does with it

    def launch(self) -> None:
        """Let it run to its first command."""
        self.start()
        self._let_it_run()

    def go_on(self) -> None:
        """Let it run to its next command."""
        self._may_run.release()
        self._let_it_run()

    def kill(self) -> None:
        """Let it unwind, now that its process is dead."""
        if self._awaited is not None:
            self.go_on()

    def _let_it_run(self) -> None:
        self._stands.acquire()
        if self._awaited is not None:
            return
        self.join()
        if self._crash:
            raise self._crash
        self.over.resolve()
        if self is self.process._main and self.process.alive:
            self.process.end()

    # --- what its code does

    def wait(self, pending: Pending[T]) -> T:
        """Stand still until something has come, and return it."""
        self._check()
        outer, self._awaited = self._awaited, pending
        pending.then(lambda: self.go_on() if self.process.alive and self._awaited is pending else None)
        try:
            while not pending.done:
                self._stands.release()
                self._may_run.acquire()
                self._check()
                if self is self.process._main:
                    self.process.handle_signals()
        finally:
            self._awaited = outer
        return pending.result()

    def _check(self) -> None:
        if not self.process.alive:
            raise Killed

    def run(self) -> None:
        """Run the code; see :class:`threading.Thread`."""
        try:
            with suppress(Killed):
                self._code()
        except BaseException as error:  # noqa: BLE001  (the world raises it)
            self._crash = error
        self._stands.release()


class ThreadInProcess:
    """Stands in for :class:`threading.Thread` in a process's code."""

    def __init__(self, *, target: Callable[..., Any], args: tuple[Any, ...] = (), **_: Any) -> None:
        self._code = lambda: target(*args)
        self._strand: Strand | None = None

    def start(self) -> None:
        """Begin."""
        self._strand = Strand.current().process.begin_thread(self._code)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end.

        :param timeout: seconds to wait at the most.
        """
        assert self._strand
        strand, world = Strand.current(), Strand.current().process.world
        done: Pending[None] = Pending()
        if self._strand.over.done:
            return
        self._strand.over.then(done.resolve)
        if timeout is not None:
            world.after(timeout, done.resolve)
        strand.wait(done)
