"""Nothing that holds a secret shows it: not by repr, not by str, not in a traceback's text."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import airflow_provider_aegis
from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials.base import Fetched, StaticCredentials
from airflow_provider_aegis.client.credentials.default_chain import _Profile
from airflow_provider_aegis.client.credentials.refreshing import RefreshingCredentials, _Kept
from airflow_provider_aegis.client.credentials.sts import AssumeRole, AssumeRoleWithOIDC
from airflow_provider_aegis.client.credentials.uri import CredentialsUri
from airflow_provider_aegis.client.flows.commands import Authenticate, Content, Fetch, Join, Mask, Send, Signature
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.blocking import SignatureAuth
from airflow_provider_aegis.client.transport.proxy import Proxy
from airflow_provider_aegis.emulator import Emulator, Key
from airflow_provider_aegis.emulator.authentication import Authorization, _Held
from airflow_provider_aegis.emulator.http import Request
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from tests.captured import captured

SECRET, TOKEN = "the-secret-of-the-key", "the-token-of-the-key"
KEYS = Credentials("key-id", SECRET, TOKEN)
ROLE = "acs:ram::1:role/r"
SOURCE = AssumeRole(base=StaticCredentials(KEYS), role_arn=ROLE, external_id=SECRET, policy=SECRET)
SIGNATURE = Signature("Action", "2026-01-02T03:04:05Z", "nonce", KEYS)
HEADERS = SIGNATURE.headers(method="POST", host="h", path="/", query="")
REQUEST = Request(method="POST", headers=HEADERS)
SERVICE = ClientConfig(endpoint=Endpoint("https", "h"), credentials=StaticCredentials(KEYS))
FETCH = Fetch()
FETCH.done.set_result(KEYS)
HOLDERS: list[object] = [
    Secret(SECRET),
    KEYS,
    Response(200, HEADERS, SECRET.encode()),
    StaticCredentials(KEYS),
    Fetched(KEYS),
    _Kept(KEYS, 0, 0),
    SOURCE,
    AssumeRoleWithOIDC(role_arn=ROLE, policy=SECRET, oidc_provider_arn="p", oidc_token_file="f"),
    CredentialsUri(f"http://127.0.0.1/?{TOKEN}"),
    RefreshingCredentials(SOURCE),
    _Profile({"access_key_secret": SECRET}, "file"),
    SIGNATURE,
    SignatureAuth(SIGNATURE),
    Send(f"https://h/?{SECRET}", SIGNATURE, 1, 1, headers={"x": TOKEN}, body=SECRET.encode()),
    Proxy("http://h", Secret(SECRET), (Secret(TOKEN),)),
    Authenticate(KEYS),
    Mask((Secret(SECRET), Secret(TOKEN))),
    Content(SECRET.encode()),
    FETCH,
    Join(FETCH),
    SERVICE,
    Key(SECRET, token=TOKEN),
    _Held(Key(SECRET, token=TOKEN), None),
    Authorization("key-id", frozenset(), HEADERS["authorization"][-64:]),
    REQUEST,
    Emulator(keys={"key-id": Key(SECRET, token=TOKEN)}),
]
# Fields by whose names or types a dataclass may hold a secret.
TELLING = re.compile(r"secret|token|password|credential|signature|authorization|digest|headers|\bKey\b", re.IGNORECASE)
# They have headers of answers, the place of a page token, or records of findings: no secret of ours.
HARMLESS = {"HttpResponse", "Fault", "Reader", "Change", "Row"}


def classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(airflow_provider_aegis.__path__, f"{airflow_provider_aegis.__name__}."):
        if module.name.endswith(("__main__", ".retry")):  # the latter needs Airflow 3.3
            continue
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, type) and thing.__module__ == module.name:
                yield thing


def may_show(one: type) -> bool:
    """Whether instances say what they hold, and it may be a secret; all other classes are shown as object does it."""
    if is_dataclass(one):
        return any(TELLING.search(f"{field.name} {field.type}") for field in fields(one))
    return "__repr__" in vars(one) or issubclass(one, tuple)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_nothing_that_holds_a_secret_shows_it(holder: object) -> None:
    signature = HEADERS["authorization"].rpartition("=")[2]
    assert len(signature) == 64
    for shown in (repr(holder), str(holder), f"{holder}", repr([holder]), repr({"holder": holder})):
        for secret in (SECRET, TOKEN, signature):
            assert secret not in shown


def test_every_class_that_may_hold_a_secret_is_looked_at() -> None:
    known = {type(holder) for holder in HOLDERS}
    may = {one for one in classes() if may_show(one) and one.__name__ not in HARMLESS}
    assert {Credentials, RefreshingCredentials} <= may
    assert may - known == set()


@pytest.fixture
def _connection(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region": "cn-hangzhou", "security_token": TOKEN, "auth_type": "sts"}
    conn = {"conn_type": "aegis", "login": "key-id", "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", json.dumps(conn))


@pytest.mark.usefixtures("_connection")
def test_the_hook_and_what_it_reads_show_no_secret() -> None:
    hook = AegisHook()
    shown = f"{hook!r} {hook} {hook.config!r} {vars(hook)!r}"
    assert "key-id" in shown
    assert SECRET not in shown
    assert TOKEN not in shown


@pytest.mark.usefixtures("_connection")
def test_tasks_and_their_triggers_show_no_secret() -> None:
    scan: dict[str, Any] = {"once_task_type": "VUL_CHECK_TASK"}
    operator = AegisOnceTaskOperator(task_id="scan", **scan)
    sensor = AegisOnceTaskSensor(task_id="wait", once_task_id="id", **scan)
    triggers = operator._trigger(operator._ref("id"), 1.0, ours=True), sensor._trigger(1.0)
    for task in (operator, sensor):
        assert task.hook.config.credentials.ready() == KEYS
        shown = f"{task!r} {task} {vars(task)!r}"
        assert SECRET not in shown
        assert TOKEN not in shown
    for trigger in triggers:
        shown = f"{trigger!r} {trigger} {vars(trigger)!r} {trigger.serialize()!r}"
        assert SECRET not in shown
        assert TOKEN not in shown


@pytest.mark.parametrize(
    "broken",
    [
        {"extra": {"region": 5}},
        {"extra": {"region": "cn-hangzhou", "read_timeout": "soon"}},
        {"extra": {"region": "cn-hangzhou", "policy": SECRET}},
        {"extra": {"region": "cn-hangzhou", "auth_type": "ram_role_arn", "role_arn": SECRET}},
        {"extra": {"region": "cn-hangzhou", "auth_type": "credentials_uri", "credentials_uri": f"ftp://{TOKEN}"}},
        {
            "extra": {
                "region": "cn-hangzhou",
                "auth_type": "ram_role_arn",
                "role_arn": "acs:ram::1:role/r",
                "policy": TOKEN,
            }
        },
        {"password": f"{SECRET} "},
        {"password": f"{SECRET}ü"},
        {"extra": {"region": "cn-hangzhou", "security_token": TOKEN, "regoin": "cn-hangzhou"}},
        {"extra": f'{{"security_token": "{TOKEN}"'},
    ],
    ids=str,
)
@pytest.mark.parametrize("nonblocking", [False, True], ids=["worker", "event loop"])
def test_a_connection_that_is_refused_shows_no_secret(
    broken: dict[str, Any], nonblocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"conn_type": "aegis", "login": "key-id", "password": SECRET, "extra": {"region": "cn-hangzhou"}} | broken
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", json.dumps(known))
    with pytest.raises(ValueError) as caught:
        asyncio.run(AegisHook().aget_config()) if nonblocking else AegisHook().call("DescribeVulList")
    shown = captured(caught.value)
    assert "aegis_default" in shown
    assert TOKEN not in shown
    assert SECRET not in shown
