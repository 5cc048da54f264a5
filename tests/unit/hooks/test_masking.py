"""Airflow's masker is told of secrets, from an event loop by the way that does not hold it up."""

from __future__ import annotations

import asyncio
import sys
import threading
from types import ModuleType

import pytest

from airflow_provider_aegis.hooks.masking import amask, mask


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the blocking masker was told, and in which thread."""
    told: list[tuple[str, int]] = []

    def tell(secret: str) -> None:
        told.append((secret, threading.get_ident()))

    monkeypatch.setattr("airflow_provider_aegis.compat.mask_secret", tell, raising=False)
    return told


def test_the_blocking_masker_is_told(masked: list[tuple[str, int]]) -> None:
    mask("secret")
    assert masked == [("secret", threading.get_ident())]


def test_an_event_loop_awaits_the_masker(masked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    awaited: list[str] = []

    async def tell(secret: str) -> None:
        awaited.append(secret)

    module = ModuleType("airflow.sdk.log")
    module.amask_secret = tell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow.sdk.log", module)
    asyncio.run(amask("secret"))
    assert (awaited, masked) == (["secret"], [])


def test_before_airflow_3_3_it_is_told_in_a_thread(
    masked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.sdk.log", ModuleType("airflow.sdk.log"))
    asyncio.run(amask("secret"))
    ((secret, thread),) = masked
    assert secret == "secret"
    assert thread != threading.get_ident()
