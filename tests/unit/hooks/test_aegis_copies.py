"""Copies of a hook: each has a connection of its own, and none carries a secret along."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_aegis.emulator import Emulator, Key
from airflow_provider_aegis.hooks.aegis import AegisHook

SECRET, TOKEN = "the-secret-of-the-key", "the-token-of-the-key"


def pickled(hook: AegisHook) -> AegisHook:
    written = pickle.dumps(hook)
    assert SECRET.encode() not in written
    assert TOKEN.encode() not in written
    loaded: AegisHook = pickle.loads(written)
    return loaded


@pytest.fixture
def sas(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(keys={"key-id": Key(SECRET, token=TOKEN)}) as running:
        conn = {
            "conn_type": "aegis",
            "login": "key-id",
            "password": SECRET,
            "host": "http://127.0.0.1",
            "port": running.port,
            "extra": {"security_token": TOKEN, "region": "cn-hangzhou"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", json.dumps(conn))
        yield running


@pytest.mark.parametrize("copied", [pickled, copy.deepcopy, copy.copy])
@pytest.mark.parametrize("used", [True, False])
def test_a_copy_of_a_hook_has_no_secret_and_a_connection_of_its_own(
    sas: Emulator, copied: Callable[[AegisHook], AegisHook], used: bool
) -> None:
    with AegisHook(region="cn-shanghai") as hook:
        if used:
            assert hook.test_connection()[0]
            hook.call("ListUnfinishedOnceTask", TaskType="VUL_CHECK_TASK", Target="t")
        with copied(hook) as other:
            assert type(other) is AegisHook
            assert "config" not in vars(other)
            assert (other.aegis_conn_id, other.region) == (hook.aegis_conn_id, "cn-shanghai")
            assert other.call("ListUnfinishedOnceTask", TaskType="VUL_CHECK_TASK", Target="t")["OnceTasks"] == []
            assert other._transport is not hook._transport
