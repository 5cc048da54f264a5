"""One fetch of credentials at a time, for all threads and event loops of a process."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from airflow_provider_aegis.client.errors import UnreachableError
from airflow_provider_aegis.client.flows.commands import Authenticate, Fetch, Flow, Join, Send, bounded
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport import blocking
from airflow_provider_aegis.client.transport.blocking import BlockingTransport
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests.fakes import KEYS, FakeClock, config
from tests.unit.client.credentials.script import make
from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking, service_at


def authenticate(seconds: float = float("inf")) -> Flow[object]:
    return (yield Authenticate(seconds=seconds))


def test_of_many_threads_that_ask_at_once_one_fetches() -> None:
    rig = make()
    rig.script.pause = 0.1

    def ask(_: int) -> object:
        with BlockingTransport(service_at("http://127.0.0.1:1", credentials=rig.provider)) as transport:
            return transport.run_flow(authenticate())

    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(ask, range(200)))) == 1
    assert rig.script.fetches == 1


def test_those_that_wait_are_given_the_error_of_the_one_that_fetched() -> None:
    rig = make()
    rig.script.error, rig.script.pause = UnreachableError("down"), 0.3

    def ask(_: int) -> object:
        with BlockingTransport(service_at("http://127.0.0.1:1", credentials=rig.provider)) as transport:
            return transport.run_flow(authenticate())

    with ThreadPoolExecutor(20) as pool:
        failures = list(pool.map(ask, range(20)))
    assert rig.script.fetches == 1
    assert {str(failure) for failure in failures} == {str(UnreachableError("down"))}
    assert len({id(failure) for failure in failures}) == 20


@pytest.mark.parametrize("driver", [Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
@pytest.mark.parametrize("fetching", [False, True], ids=["joins", "fetches"])
def test_a_caller_waits_no_longer_than_it_can_and_the_fetch_goes_on_for_the_others(
    driver: Driver, fetching: bool
) -> None:
    rig = make()
    rig.script.pause = 0.5
    known = service_at("http://127.0.0.1:1", credentials=rig.provider)
    results: list[object] = []

    def ask() -> None:
        results.append(driver.run_flow(known, authenticate()))

    other = threading.Thread(target=ask)
    if not fetching or driver.module is blocking:  # a fetch on a loop goes on, one of a blocking caller is its own
        other.start()
        assert rig.script.begun.wait(5)
    reply = driver.run_flow(known, authenticate(seconds=0.1))
    assert isinstance(reply, UnreachableError)
    assert "in time" in str(reply)
    if other.ident:
        other.join(5)
        assert isinstance(results[0], Credentials)
    assert rig.script.fetches == 1


def test_no_request_for_credentials_takes_longer_than_its_caller_can_wait() -> None:
    clock = FakeClock()
    sent = Send("https://sts.aliyuncs.com/", None, 5, 10, seconds=15)

    def flow() -> Flow[object]:
        yield sent
        clock.advance(2)
        yield sent
        yield Join(Fetch())
        clock.advance(60)
        return (yield sent)

    wrapped = bounded(flow(), 8, clock.monotonic)
    first, second, join = next(wrapped), wrapped.send(None), wrapped.send(None)
    assert first == replace(sent, connect_timeout=5, read_timeout=8, seconds=8)
    assert second == replace(sent, connect_timeout=5, read_timeout=6, seconds=6)
    assert isinstance(join, Join)
    assert join.seconds == 6
    assert wrapped.send(None) == replace(sent, connect_timeout=0.1, read_timeout=0.1, seconds=0.1)
    with pytest.raises(StopIteration) as end:
        wrapped.send(KEYS)
    assert end.value.value == KEYS


@pytest.mark.parametrize("first", ["thread", "loop"])
def test_threads_and_event_loops_of_a_process_share_a_fetch(first: str) -> None:
    rig = make()
    rig.script.pause = 0.3
    known = service_at("http://127.0.0.1:1", credentials=rig.provider)
    found: list[object] = []

    def block() -> None:
        with BlockingTransport(known) as transport:
            found.append(transport.run_flow(authenticate()))

    async def run() -> None:
        async with open_transport(known) as transport:
            found.append(await transport.run_flow(authenticate()))

    def loop() -> None:
        asyncio.run(run())

    callers = [block, loop, block, loop] if first == "thread" else [loop, block, loop, block]
    threads = [threading.Thread(target=caller) for caller in callers]
    threads[0].start()
    assert rig.script.begun.wait(5)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert rig.script.fetches == 1


def test_a_blocking_call_on_the_thread_of_the_loop_that_fetches_does_not_wait_for_it() -> None:
    rig = make()
    rig.script.pause = 0.1
    known = service_at("http://127.0.0.1:1", credentials=rig.provider)

    async def run() -> tuple[object, object]:
        async with open_transport(known) as transport:
            task = asyncio.create_task(transport.run_flow(authenticate()))
            await asyncio.sleep(0.02)  # really waits, so that it is under way
            assert rig.script.fetches == 1
            with BlockingTransport(known) as transport_of_ours:
                got = transport_of_ours.run_flow(authenticate())
            return got, await task

    thread = threading.Thread(target=lambda: found.append(asyncio.run(run())), daemon=True)
    found: list[tuple[object, object]] = []
    thread.start()
    thread.join(5)
    assert found
    assert rig.script.fetches == 2


def test_a_caller_that_looked_before_another_had_fetched_does_not_fetch_again() -> None:
    rig = make()
    late = rig.provider._fetch(Fetch())  # it has looked, and found nothing
    assert rig.get().access_key_id == "id-1"
    assert rig.stage.run_flow(late).access_key_id == "id-1"
    assert rig.script.fetches == 1


def test_a_signal_handler_may_ask_while_its_own_thread_fetches() -> None:
    rig = make()
    rig.script.pause = 1
    outer = rig.provider.get()
    next(outer)  # this thread fetches, and a signal handler runs
    known = config(clock=rig.script.clock, credentials=rig.provider)
    rig.script.pause = 0
    with BlockingTransport(known) as transport:
        assert transport.run_flow(rig.provider.get()).access_key_id == "id-2"
    assert rig.stage.run_flow(outer).access_key_id == "id-1"


def test_a_fetch_that_is_broken_off_leaves_it_to_those_that_waited() -> None:
    rig = make()
    rig.script.pause = 0.5
    outer = rig.provider.get()
    next(outer)
    threads = ThreadPoolExecutor(5)
    known = service_at("http://127.0.0.1:1", credentials=rig.provider)

    def ask(_: int) -> object:
        with BlockingTransport(known) as transport:
            return transport.run_flow(authenticate())

    asked = [threads.submit(ask, number) for number in range(5)]
    outer.close()
    assert {one.result(5) for one in asked} == {Credentials("id-2", "secret-2", "token-2")}
    assert rig.script.fetches == 2


def test_a_fetch_of_the_process_that_this_one_was_forked_from_is_not_waited_for() -> None:
    rig = make()
    rig.provider._under_way[""] = Fetch(process=os.getpid() + 1)
    assert rig.get().access_key_id == "id-1"
    assert not rig.provider._under_way
