"""Triggers: plain arguments, one event, nothing cancelled but by a user, nothing held up."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import threading
import time
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.triggers.base import BaseTrigger

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.jobs.once_task import STATUS_WORDS, OnceTaskRef
from airflow_provider_aegis.client.transport import nonblocking
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.triggers import base
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger, AegisVacancyTrigger

SCAN = "VUL_CHECK_TASK"
EVERY: dict[type[BaseTrigger], dict[str, Any]] = {
    AegisOnceTaskTrigger: {
        "once_task_id": "id",
        "once_task_type": SCAN,
        "once_task_name": "name",
        "aegis_conn_id": "conn",
        "region": "cn-hangzhou",
        "poll_interval": 1.5,
        "max_poll_interval": 2.5,
        "first_poll_delay": 3.5,
        "unknown_task_grace": 4.5,
        "deadline": 5.5,
        "ours": True,
        "cancel_on_kill": True,
        "retry_all_errors": True,
    },
    AegisVacancyTrigger: {
        "once_task_type": SCAN,
        "once_task_name": "name",
        "aegis_conn_id": "conn",
        "region": "cn-hangzhou",
        "delay": 1.5,
        "deadline": 2.5,
        "waits": 3,
    },
}


def start() -> str:
    with AegisHook() as hook:
        once_task_id: str = hook.generate_once_task(once_task_type=SCAN)["TaskId"]
        return once_task_id


def trigger(once_task_id: str, **how: Any) -> AegisOnceTaskTrigger:
    known: dict[str, Any] = {
        "aegis_conn_id": "aegis_default",
        "poll_interval": 0.01,
        "first_poll_delay": 0.0,
        "ours": True,
    }
    return AegisOnceTaskTrigger(once_task_id=once_task_id, once_task_type=SCAN, **known | how)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_every_argument_survives_being_stored(cls: type[BaseTrigger]) -> None:
    arguments = EVERY[cls]
    assert set(arguments) == set(inspect.signature(cls).parameters), "the table names all of them"
    path, stored = cls(**arguments).serialize()
    assert path == f"{cls.__module__}.{cls.__name__}"
    assert json.loads(json.dumps(stored)) == arguments


async def events(one: BaseTrigger) -> list[Any]:
    return [event.payload async for event in one.run()]


def test_one_event_and_no_secret_in_it(sas: Emulator) -> None:
    once_task_id = start()
    sas.finish(once_task_id)
    (event,) = asyncio.run(events(trigger(once_task_id)))
    assert (event["outcome"], event["once_task_id"], event["ours"]) == ("success", once_task_id, True)
    assert sas.access_key_secret not in json.dumps(event)
    assert sas.access_key_secret not in json.dumps(trigger(once_task_id).serialize())


def test_an_error_keeps_class_code_status_and_request_id(sas: Emulator) -> None:
    sas.inject("*", Fault.error("InvalidAccessKeyId.NotFound", status=404), times=1)
    (event,) = asyncio.run(events(trigger("x")))
    known = event["error"]
    assert (event["outcome"], known["error_class"]) == ("error", "AuthenticationError")
    assert (known["code"], known["http_status"]) == ("InvalidAccessKeyId.NotFound", 404)
    assert known["request_id"]


def test_a_connection_that_is_gone_is_an_event_too() -> None:
    (event,) = asyncio.run(events(trigger("x", aegis_conn_id="gone")))
    assert (event["outcome"], event["error"]["error_class"]) == ("error", "ConfigurationError")


async def until_asked(sas: Emulator, action: str = "GetOnceTaskResultInfo") -> None:
    """Wait until the emulator, which runs in another thread, has been asked."""
    while not sas.requests[action]:  # noqa: ASYNC110  (there is no event to wait for)
        await asyncio.sleep(0.01)


def test_a_shutdown_passes_through_and_cancels_nothing(sas: Emulator) -> None:
    once_task_id = start()

    async def shut_down() -> None:
        waiting = asyncio.create_task(events(trigger(once_task_id, cancel_on_kill=True)))
        await until_asked(sas)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not nonblocking._loops, "the session is closed"

    asyncio.run(shut_down())
    assert sas.cancelled == []


def test_on_kill_cancels_our_scan(sas: Emulator) -> None:
    once_task_id = start()
    asyncio.run(trigger(once_task_id, cancel_on_kill=True).on_kill())
    assert sas.cancelled == [once_task_id]


@pytest.mark.parametrize(("ours", "cancel_on_kill"), [(True, False), (False, True)])
def test_on_kill_cancels_nothing_else(ours: bool, cancel_on_kill: bool, sas: Emulator) -> None:
    asyncio.run(trigger(start(), ours=ours, cancel_on_kill=cancel_on_kill).on_kill())
    assert sas.requests["CancelOnceTask"] == 0


def test_on_kill_is_bounded_and_never_raises(
    sas: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("airflow_provider_aegis.triggers.once_task.KILL_SECONDS", 0.3)
    sas.inject("CancelOnceTask", Fault.delayed(5), times=10)
    began = time.monotonic()
    asyncio.run(trigger(start(), cancel_on_kill=True).on_kill())
    assert time.monotonic() - began < 3, "it gave up long before the answer would have come"
    assert "may run on" in caplog.text


def test_on_kill_outlives_that_airflow_cancels_it_every_second(sas: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    once_task_id = start()
    sas.inject("CancelOnceTask", Fault.delayed(0.5))

    async def kill() -> None:
        on_kill = trigger(once_task_id, cancel_on_kill=True).on_kill()
        killing = asyncio.create_task(asyncio.wait_for(on_kill, 30))
        await until_asked(sas, "CancelOnceTask")
        for _ in range(3):
            killing.cancel()
            await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            while "is cancelled" not in caplog.text:  # noqa: ASYNC110  (there is no event to wait for)
                await asyncio.sleep(0.01)

    with caplog.at_level(logging.INFO):
        asyncio.run(kill())
    assert sas.cancelled == [once_task_id]


@pytest.mark.skipif(not hasattr(BaseTrigger, "on_kill"), reason="before Airflow 3.3 no trigger learns of it")
def test_on_kill_is_made_up_for_if_a_busy_airflow_never_calls_it(sas: Emulator) -> None:
    once_task_id = start()

    class BusyLog:
        async def ainfo(self, *_: Any, **__: Any) -> None:
            await asyncio.sleep(0.2)

        def info(self, *_: Any) -> None:
            pass

    async def end_it() -> None:
        make_runner: Any = TriggerRunner
        runner = make_runner()
        runner.log = BusyLog()
        it = trigger(once_task_id, cancel_on_kill=True)
        task = asyncio.create_task(runner.run_trigger(1, it, None, None))
        runner.triggers[1] = {"task": task, "name": "it", "events": 0, "is_watcher": False}
        await until_asked(sas)
        for _ in range(2):  # the second one meets Airflow while it logs that it is going to call on_kill
            runner.to_cancel.append(1)
            await runner.cancel_triggers()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(end_it())
    assert sas.cancelled == [once_task_id]


def test_many_waits_share_one_session(sas: Emulator) -> None:
    sas.set(repeat_check="off", running_limit=100, seconds=0.5)
    ids = [start() for _ in range(30)]

    async def all_of_them() -> int:
        waiting = [asyncio.create_task(events(trigger(once_task_id))) for once_task_id in ids]
        await until_asked(sas)
        (mine,) = nonblocking._loops.values()
        sessions = len(mine)
        for (event,) in await asyncio.gather(*waiting):
            assert event["outcome"] == "success"
        return sessions

    assert asyncio.run(all_of_them()) == 1


def test_the_connection_of_many_that_start_together_is_looked_up_once(
    sas: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_ups: list[str | None] = []
    look_up = AegisHook.aget_config

    async def counting(hook: AegisHook) -> ClientConfig:
        look_ups.append(hook.region)
        return await look_up(hook)

    monkeypatch.setattr(AegisHook, "aget_config", counting)

    async def outcomes(number: int, **how: Any) -> set[str]:
        waiting = (events(trigger("unknown", deadline=time.time() - 1, **how)) for _ in range(number))
        return {event["outcome"] for (event,) in await asyncio.gather(*waiting)}

    async def restart() -> list[set[str]]:
        together = await asyncio.gather(outcomes(50), outcomes(3, region="cn-beijing"))
        monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", '{"conn_type": "aegis"}')
        return [*together, await outcomes(20)]

    assert asyncio.run(restart()) == [{"deadline"}, {"deadline"}, {"error"}]
    assert look_ups == [None, "cn-beijing", None], "once more for those that come later"


def test_aiohttp_is_imported_off_the_event_loop(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    real = importlib.import_module

    def import_module(name: str) -> Any:
        threads.append(threading.get_ident())
        return real(name)

    monkeypatch.setattr(base, "_transport", None)
    monkeypatch.setattr(importlib, "import_module", import_module)
    asyncio.run(events(trigger("unknown", deadline=time.time() - 1)))
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_a_flow_needs_no_trigger_to_run(sas: Emulator) -> None:
    read = OnceTaskRef(once_task_type=SCAN, once_task_id=start()).read()
    payload = asyncio.run(base.run_flow("aegis_default", None, lambda config: exchange(config, read)))
    assert payload["TaskInfo"]["Status"] in STATUS_WORDS


def test_the_vacancy_is_told_once_it_is_there(sas: Emulator) -> None:
    sas.set(seconds=0.2)
    start()
    one = AegisVacancyTrigger(once_task_type=SCAN, aegis_conn_id="aegis_default", delay=0.05, deadline=None, waits=2)
    (event,) = asyncio.run(events(one))
    assert event == {"outcome": "vacant", "error": None, "deadline": None, "waits": 2}


def test_the_vacancy_has_a_deadline(sas: Emulator) -> None:
    start()
    until = time.time() + 0.3
    one = AegisVacancyTrigger(once_task_type=SCAN, aegis_conn_id="aegis_default", delay=0.05, deadline=until)
    (event,) = asyncio.run(events(one))
    assert event == {"outcome": "deadline", "error": None, "deadline": until, "waits": 0}


def test_the_vacancy_says_what_is_final(sas: Emulator) -> None:
    sas.set(denied=["*"])
    one = AegisVacancyTrigger(once_task_type=SCAN, aegis_conn_id="aegis_default", delay=0.01)
    (event,) = asyncio.run(events(one))
    assert (event["outcome"], event["error"]["error_class"]) == ("error", "PermissionDeniedError")
