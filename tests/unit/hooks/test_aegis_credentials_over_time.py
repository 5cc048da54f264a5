"""Temporary keys in use: fetched once for all, renewed in the middle of a wait, waited for while none can be had."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials.base import authenticate
from airflow_provider_aegis.client.credentials.refreshing import RefreshingCredentials
from airflow_provider_aegis.client.flows.commands import Flow, Reply, Sleep
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import Outcome, wait
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from airflow_provider_aegis.emulator import Emulator, ManualClock
from tests.fakes import revealed
from tests.unit.client.credentials_services import CredentialsServices, refusal
from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking
from tests.unit.hooks.connections import role

READ = once_task.OnceTaskRef(once_task_type="ASSETS_COLLECTION").read_last()


@pytest.fixture(params=[Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
def driver(request: pytest.FixtureRequest) -> Driver:
    driver: Driver = request.param
    return driver


def test_a_session_of_900_seconds_is_fetched_once(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.life = 900
    for _ in range(3):  # three tasks of one process
        with role(monkeypatch, sas, role_session_expiration=900) as hook:
            for _ in range(3):
                hook.get_last_once_task_info(once_task_type="VUL_CHECK_TASK")
    assert services.requests["AssumeRole"] == 1


def waiting(
    sas: Emulator, config: ClientConfig, *, kind: str = "VUL_CHECK_TASK", seconds: float, pause: float
) -> Flow[Outcome]:
    started = yield from exchange(config, once_task.generate_once_task(once_task_type=kind))
    timer = threading.Timer(seconds, lambda: sas.finish(started["TaskId"]))
    timer.start()
    read = once_task.OnceTaskRef(once_task_id=started["TaskId"], once_task_type=kind).read()
    ending = yield from wait(config, read, judge=once_task.OnceTaskJudge(), poll_interval=PollInterval(pause, pause))
    timer.join()
    return ending.outcome


def slept_by(clock: ManualClock, flow: Flow[Outcome]) -> Flow[Outcome]:
    """Perform a flow whose sleeps take no time but the clock's."""
    reply: Reply = None
    try:
        while True:
            command = flow.send(reply)
            if isinstance(command, Sleep):
                clock.advance(command.seconds)
                reply = None
            else:
                reply = yield command
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def test_credentials_expire_in_the_middle_of_a_wait_and_no_poll_is_lost(
    driver: Driver, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is a clock's that passes while the flow sleeps; the soak test below waits for as long as it says."""
    clock = ManualClock()
    with Emulator(seconds=300, requests_per_second=0, clock=clock) as sas:
        services.sas, services.clock, services.life = sas, clock, 60
        config = replace(role(monkeypatch, sas).config, clock=clock)
        assert isinstance(config.credentials, RefreshingCredentials)
        monkeypatch.setattr(config.credentials, "_clock", clock)

        def flow() -> Flow[Outcome]:
            started = yield from exchange(config, once_task.generate_once_task(once_task_type="VUL_CHECK_TASK"))
            read = once_task.OnceTaskRef(once_task_type="VUL_CHECK_TASK", once_task_id=started["TaskId"]).read()
            flow = wait(config, read, judge=once_task.OnceTaskJudge(), poll_interval=PollInterval(2, 2))
            return (yield from flow).outcome

        assert driver.run_flow(config, slept_by(clock, flow())) is Outcome.SUCCESS
        assert sas.requests["GetOnceTaskResultInfo"] >= 100
        assert [line.code for line in sas.log if line.code] == []
    # A fifth of their life before they expire they are fetched again, by the next poll.
    assert len(services.handed_out) == pytest.approx(300 / (60 * 0.8), abs=1)


@pytest.mark.soak
def test_keys_of_a_minute_last_through_a_wait_of_five_at_both_transports(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.life, seconds, pause = 60, 300, 2
    drivers: list[Driver] = [Blocking(), Nonblocking()]
    # Two sessions, so that neither lives on the keys that the other has fetched.
    waits = [role(monkeypatch, sas, role_session_name=type(driver).__name__).config for driver in drivers]

    def wait(driver: Driver, config: ClientConfig) -> Outcome:
        kind = type(driver).__name__  # two scans of one kind would be in each other's way
        return driver.run_flow(config, waiting(sas, config, kind=kind, seconds=seconds, pause=pause))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(wait, drivers, waits)) == [Outcome.SUCCESS] * 2
    polls = [line for line in sas.log if line.action == "GetOnceTaskResultInfo"]
    assert len(polls) >= 2 * seconds / pause * 0.9
    assert [line.code for line in sas.log if line.code] == [], "a poll failed"
    asked = Counter(asked["RoleSessionName"] for asked in services.asked)
    # A fifth of their life before they expire they are fetched again, by the next poll.
    assert set(asked) == {"Blocking", "Nonblocking"}
    assert all(seconds / 60 < number <= seconds / (60 * 0.8) + 1 for number in asked.values()), asked


def test_keys_that_are_refused_are_replaced_in_the_middle_of_a_wait(
    driver: Driver, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = role(monkeypatch, sas).config

    def flow() -> Flow[None]:
        yield from exchange(config, READ)
        access_key_id, secret, token = revealed(services.handed_out[0])
        sas.add_key(access_key_id, secret, token=token, seconds=0)
        yield from exchange(config, READ)
        yield from exchange(config, READ)

    driver.run_flow(config, flow())
    assert services.requests["AssumeRole"] == 2


def test_a_wait_rides_out_that_no_keys_can_be_had_for_a_while(
    driver: Driver, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = role(monkeypatch, sas).config

    def flow() -> Flow[Outcome]:
        started = yield from exchange(config, once_task.generate_once_task(once_task_type="VUL_CHECK_TASK"))
        once_task_id = started["TaskId"]
        read = once_task.OnceTaskRef(once_task_id=once_task_id, once_task_type="VUL_CHECK_TASK").read()
        access_key_id, secret, token = revealed(services.handed_out[0])
        sas.add_key(access_key_id, secret, token=token, seconds=0)
        services.trouble = refusal(503, "ServiceUnavailable", "Come back later.")

        def heal() -> None:
            services.trouble = None
            sas.finish(once_task_id)

        timer = threading.Timer(0.5, heal)
        timer.start()
        ending = yield from wait(config, read, judge=once_task.OnceTaskJudge(), poll_interval=PollInterval(0.05, 0.05))
        timer.join()
        return ending.outcome

    assert driver.run_flow(config, flow()) is Outcome.SUCCESS
    assert services.requests["AssumeRole"] > 2


def test_200_waits_on_one_connection_are_one_assume_role(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> set[object]:
        config = await role(monkeypatch, sas).aget_config()
        async with open_transport(config) as transport:
            found = await asyncio.gather(*(transport.run_flow(authenticate()) for _ in range(200)))
        return set(found)

    assert len(asyncio.run(run())) == 1
    assert services.requests["AssumeRole"] == 1


def test_threads_on_one_connection_are_one_assume_role(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = role(monkeypatch, sas)
    assert hook.config
    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(lambda _: hook.sibling().run_flow(authenticate()), range(200)))) == 1
    assert services.requests["AssumeRole"] == 1
