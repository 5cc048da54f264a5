"""A triggerer: an event loop whose time is the world's, and triggers as Airflow 3.3 runs them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow.triggers.base import BaseTrigger

from tests.state_machine.world import Pending, World

T = TypeVar("T")

# What Airflow's triggerer cancels a trigger with when a user ended its task, and how long its on_kill may take.
USER_ACTION = "__airflow_user_action__"
ON_KILL_SECONDS = 30


class WorldLoop(asyncio.SelectorEventLoop):
    """An event loop in the world's time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._called = False
        super().__init__()

    def time(self) -> float:
        """The world's time."""
        return self._world.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call back in the world's time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)

        def call() -> None:
            if not (handle.cancelled() or self.is_closed()):
                self.call_soon(callback, *args, context=context)
                self.turn()

        self._world.after(when - self._world.now, call)
        return handle

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call back in the next turn."""
        self._called = True
        return super().call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Run it on the spot: there is no other thread."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (whoever waits for it gets it)
            future.set_exception(error)
        return future

    def turn(self) -> None:
        """Run whatever can run now."""
        while self._called and not self.is_closed():
            self._called = False
            super().call_soon(self.stop)
            self.run_forever()

    async def wait(self, pending: Pending[T]) -> T:
        """Wait until something has come."""
        future: asyncio.Future[None] = self.create_future()

        def come() -> None:
            if not (future.done() or self.is_closed()):
                future.set_result(None)
                self.turn()

        pending.then(come)
        await future
        return pending.result()


@dataclass(eq=False)
class RunningTrigger:
    """A trigger in a triggerer; the sender of what it asks.

    :param killed_at: when its on_kill was called, by the world's time.
    """

    name: str
    trigger: BaseTrigger
    alive: bool = True
    killed_at: float = math.inf
    work: asyncio.Task[None] | None = None


CURRENT: ContextVar[RunningTrigger] = ContextVar("CURRENT")


class Triggerer:
    """Runs triggers until it dies."""

    def __init__(self, world: World) -> None:
        self.alive = True
        self._loop = WorldLoop(world)
        self._world = world
        self._running: list[RunningTrigger] = []

    def run(self, name: str, trigger: BaseTrigger, fire: Callable[[Any], None]) -> RunningTrigger:
        """Run a trigger.

        :param fire: takes the payload of its event.
        """
        running = RunningTrigger(name, trigger)

        async def work() -> None:
            CURRENT.set(running)
            try:
                async for event in trigger.run():
                    self._world.after(0.0, lambda payload=event.payload: fire(payload))  # type: ignore[misc]
            except asyncio.CancelledError as error:
                if error.args == (USER_ACTION,):
                    running.killed_at = self._world.now
                    await self._on_kill(trigger)
                raise
            finally:
                await trigger.cleanup()

        running.work = self._loop.create_task(work())
        self._running.append(running)
        self._loop.turn()
        return running

    async def _on_kill(self, trigger: BaseTrigger) -> None:
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(trigger.on_kill(), ON_KILL_SECONDS)

    def cancel(self, running: RunningTrigger) -> None:
        """End a trigger whose task a user has ended, as Airflow 3.3.2 does: again every second until it is over."""
        if not self.alive or running.work is None or running.work.done():
            return
        running.work.cancel(USER_ACTION)
        self._loop.turn()
        self._world.after(1.0, lambda: self.cancel(running))

    def shut_down(self) -> None:
        """SIGTERM: everything is cancelled and may clean up."""
        for running in self._running:
            if running.work:
                running.work.cancel()
        self._loop.turn()
        self.kill()

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more."""
        self.alive = False
        for running in self._running:
            running.alive = False
        for task in asyncio.all_tasks(self._loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._loop.close()
