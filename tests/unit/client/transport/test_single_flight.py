"""Work that many on one event loop want at the same time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from airflow_provider_aegis.client.transport.single_flight import SingleFlight


class Work:
    """Work that is done when it is let go, and counts how often it was begun."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.error = error
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.begun


def many(together: SingleFlight[int], work: Work, number: int = 5, key: str = "k") -> list[asyncio.Task[int]]:
    return [asyncio.create_task(together.do(key, work)) for _ in range(number)]


def run(test: Callable[[SingleFlight[int]], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test(SingleFlight()))


def test_who_comes_while_it_is_under_way_gets_what_comes_of_it() -> None:
    async def test(together: SingleFlight[int]) -> None:
        work = Work()
        first = many(together, work)
        await asyncio.sleep(0.01)
        second = many(together, work)
        await asyncio.sleep(0.01)
        work.gate.set()
        assert await asyncio.gather(*first, *second) == [1] * 10

    run(test)


def test_who_comes_later_has_it_done_again() -> None:
    async def test(together: SingleFlight[int]) -> None:
        work = Work()
        work.gate.set()
        assert [await together.do("k", work), await together.do("k", work)] == [1, 2]

    run(test)


def test_other_work_is_done_by_itself() -> None:
    async def test(together: SingleFlight[int]) -> None:
        one, other = Work(), Work()
        tasks = many(together, one, key="one") + many(together, other, key="other")
        await asyncio.sleep(0.01)
        other.gate.set()
        assert await asyncio.gather(*tasks[5:]) == [1] * 5
        assert not any(task.done() for task in tasks[:5])
        one.gate.set()
        await asyncio.gather(*tasks)
        assert one.begun == other.begun == 1

    run(test)


def test_an_error_is_everybodys_and_not_the_next_ones() -> None:
    async def test(together: SingleFlight[int]) -> None:
        work = Work(ValueError("no"))
        work.gate.set()
        outcomes = await asyncio.gather(*many(together, work), return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["no"] * 5
        work.error = None
        assert await together.do("k", work) == 2

    run(test)


@pytest.mark.parametrize("which", [0, 4], ids=["the first", "the last"])
def test_who_is_cancelled_leaves_it_to_the_others(which: int) -> None:
    async def test(together: SingleFlight[int]) -> None:
        work = Work()
        tasks = many(together, work)
        await asyncio.sleep(0.01)
        tasks[which].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[which]
        work.gate.set()
        assert await asyncio.gather(*(task for task in tasks if task is not tasks[which])) == [1] * 4

    run(test)


def test_an_error_that_nobody_waits_for_any_more_is_nobodys() -> None:
    complaints: list[object] = []

    async def test(together: SingleFlight[int]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        work = Work(ValueError("no"))
        tasks = many(together, work)
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        work.gate.set()
        await asyncio.sleep(0.01)
        gc.collect()

    run(test)
    gc.collect()
    assert complaints == []


def test_loops_share_nothing_and_are_forgotten() -> None:
    together: SingleFlight[int] = SingleFlight()
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def test() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        work = Work()
        work.gate.set()
        assert await together.do("k", work) == 1

    asyncio.run(test())
    asyncio.run(test())
    gc.collect()
    assert [loop() for loop in loops] == [None, None]
