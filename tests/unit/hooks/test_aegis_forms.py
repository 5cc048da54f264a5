"""Operations whose parameters go into the body: what is in it shows neither in an address nor in a log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.operations import Call, call
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook

PASSWORD = "p&ss wörd"


def blocking(request: Call) -> Any:
    with AegisHook() as hook:
        return hook.call(request.operation.name, **request.params)


def nonblocking(request: Call) -> Any:
    async def ask() -> Any:
        config = AegisHook().config
        async with open_transport(config) as transport:
            return await transport.run_flow(exchange(config, request))

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [blocking, nonblocking])
def test_a_password_is_in_the_body_alone(
    ask: Callable[[Call], Any], sas: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    request = call("ModifyImageRegistry", Id=1, UserName="u", Password=PASSWORD)
    with caplog.at_level(logging.DEBUG), pytest.raises(SecurityCenterError) as caught:
        ask(request)
    assert caught.value.code == "InvalidAction.NotFound"  # the emulator plays no registry, and took the signature
    assert sas.log[-1].params == {"Id": "1", "UserName": "u", "Password": PASSWORD}
    assert request.query == ""
    assert not any(word in caplog.text for word in ("wörd", "p%26ss"))


@pytest.mark.parametrize("ask", [blocking, nonblocking])
def test_an_operation_of_get_is_asked_so(ask: Callable[[Call], Any], sas: Emulator) -> None:
    with pytest.raises(SecurityCenterError):
        ask(call("ListCheckRule", Lang="en"))
    assert (sas.log[-1].method, sas.log[-1].params) == ("GET", {"Lang": "en"})
