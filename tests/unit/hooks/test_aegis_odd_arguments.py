"""What a template, a DAG run's conf or a careless caller may hand in: refused by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError, UnreachableError
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.client.protocol.endpoints import parse_host
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.scan import cancel
from airflow_provider_aegis.triggers import base
from airflow_provider_aegis.triggers.once_task import AegisOnceTaskTrigger

DEEP: list[Any] = []
DEEP.append(DEEP)
ROWS: dict[str, tuple[Callable[[], object], str]] = {
    "region, a number": (lambda: AegisHook(region=5), "region must be a string, not int"),  # type: ignore[arg-type]
    "region, a list": (lambda: AegisHook(region=["x"]), "region must be a string, not list"),  # type: ignore[arg-type]
    "no connection": (lambda: AegisHook(None), "aegis_conn_id must be a string, not NoneType"),  # type: ignore[arg-type]
    "name, a number": (
        lambda: once_task.OnceTaskRef(once_task_type="T", once_task_name=5).read_last(),  # type: ignore[arg-type]
        "once_task_name must be a string, not int",
    ),
    "action, a number": (lambda: AegisHook().call(5), "action must be the name of an operation"),  # type: ignore[arg-type]
    "a list in itself": (lambda: AegisHook().call("DescribeX", A=DEEP), "DescribeX: a parameter is nested too deeply"),
    "half a character": (
        lambda: AegisHook().call("DescribeX", A="\ud800"),
        "DescribeX: parameter A has half a character",
    ),
    "bytes": (lambda: AegisHook().call("DescribeX", A=[b"x"]), "DescribeX: parameter A.1 is bytes, which cannot be"),
    "a set": (lambda: AegisHook().call("DescribeX", A={"x"}), "DescribeX: parameter A is set, which cannot be sent"),
    "port, a text": (lambda: parse_host("tds.aliyuncs.com", "x"), "port 'x' is not between"),  # type: ignore[arg-type]
    "port, a fraction": (lambda: parse_host("tds.aliyuncs.com", 1.5), "port 1.5 is not"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("act", "words"), ROWS.values(), ids=list(ROWS))
def test_it_is_refused_by_name(act: Callable[[], object], words: str, sas: Emulator) -> None:
    with pytest.raises(ConfigurationError, match=words):
        act()
    assert sas.requests == {}


def test_a_password_in_a_host_is_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="is not a plain host name") as caught:
        parse_host("https://LTAI:secretly@tds.aliyuncs.com")
    assert "secretly" not in str(caught.value)


@pytest.mark.parametrize("extra", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}"], ids=["deep", "a long number"])
def test_an_extra_that_cannot_be_read_is_named(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        conn_id, conn_type = "c", "aegis"

        def __init__(self) -> None:
            self.extra = extra

        @property
        def extra_dejson(self) -> Any:
            return json.loads(self.extra)

    monkeypatch.setattr(AegisHook, "get_connection", lambda *_: Odd())
    with pytest.raises(ConfigurationError, match="Connection 'c': the extra must be a JSON object, or empty"):
        _ = AegisHook("c").config


def test_a_cancellation_that_cannot_even_begin_is_logged(
    sas: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", '{"conn_type": "aegis"}')
    cancel(AegisHook(), once_task.OnceTaskRef(once_task_type="T", once_task_id="id"))
    assert "Scan id could not be cancelled and may run on" in caplog.text


def test_a_look_up_that_hangs_ends_for_all_that_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: AegisHook) -> None:
        await asyncio.sleep(60)

    async def events() -> list[Any]:
        trigger = AegisOnceTaskTrigger(once_task_id="id", once_task_type="T", aegis_conn_id="c")
        return [event.payload async for event in trigger.run()]

    async def together() -> list[list[Any]]:
        return await asyncio.gather(*(events() for _ in range(3)))

    monkeypatch.setattr(base, "LOOK_UP_SECONDS", 0.05)
    monkeypatch.setattr(AegisHook, "aget_config", hang)
    for (event,) in asyncio.run(together()):
        assert event["error"]["error_class"] == UnreachableError.__name__
        assert "connection 'c' could not be looked up" in event["error"]["message"]
