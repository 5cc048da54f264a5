"""Somebody who signs requests and asks an emulator, without a network between them or over the wire."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

from airflow_provider_aegis.client.protocol.signing import Credentials, canonical_query, flatten, signed_headers
from airflow_provider_aegis.emulator import Emulator, Fault, Key, ManualClock, Settings
from airflow_provider_aegis.emulator.account import Account
from airflow_provider_aegis.emulator.http import HttpResponse, Request
from airflow_provider_aegis.emulator.settings import changed

KEY_ID, SECRET = "test-key", "test-secret"
KIND = {"TaskType": "VUL_CHECK_TASK", "TaskName": "VUL_CHECK_TASK"}


def date_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    payload: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.payload.get("Code", ""))


@dataclass
class Caller:
    account: Account
    clock: ManualClock
    credentials: Credentials = field(default_factory=lambda: Credentials(KEY_ID, SECRET))

    def request(self, action: str, /, *, method: str = "POST", version: str = "2018-12-03", **params: Any) -> Request:
        query = canonical_query(flatten(params))
        headers = signed_headers(
            method=method,
            host="127.0.0.1:8765",
            query=query,
            action=action,
            version=version,
            date=date_of(self.clock.time()),
            nonce=uuid.uuid4().hex,
            credentials=self.credentials,
        )
        return Request(method=method, query=query, headers=headers)

    def send(self, request: Request) -> HttpResponse:
        line, fault = self.account.arrive(request)
        return self.account.answer(request, line, fault)

    def ask(self, action: str, /, **params: Any) -> Answered:
        return self.judge(self.request(action, **params))

    def judge(self, request: Request) -> Answered:
        reply = self.send(request)
        return Answered(reply.status, reply.headers, json.loads(reply.body))

    def start(self, task_type: str = "VUL_CHECK_TASK", /, *, param: str = "{}", **params: Any) -> str:
        named = {"TaskType": task_type, "TaskName": task_type, **params}
        answered = self.ask("GenerateOnceTask", Param=param, **named)
        assert answered.status == 200, answered.payload
        return str(answered.payload["TaskId"])

    def result(self, task_id: str) -> dict[str, Any]:
        return self.ask("GetOnceTaskResultInfo", TaskId=task_id, **KIND).payload

    def inject(self, action: str, fault: Fault, **limits: Any) -> None:
        self.account.inject(action, fault.to_json(), **limits)


def make_caller(**settings: Any) -> Caller:
    """An emulator on which tasks take ten seconds, where nothing else is said."""
    clock = ManualClock()
    given = changed(Settings(), **{"seconds": 10, **settings})
    return Caller(Account(keys={KEY_ID: Key(SECRET)}, settings=given, clock=clock), clock)


def without(request: Request, name: str) -> Request:
    return replace(request, headers={key: value for key, value in request.headers.items() if key != name})


def with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers={**request.headers, name: value})


def sign_for(emulator: Emulator, action: str, /, *, secret: str | None = None, **params: Any) -> Request:
    """Sign a request as it will be on the wire to an emulator that serves."""
    query = canonical_query(flatten(params))
    headers = signed_headers(
        method="POST",
        host=f"{emulator.host}:{emulator.port}",
        query=query,
        action=action,
        version="2018-12-03",
        date=date_of(time.time()),
        nonce=uuid.uuid4().hex,
        credentials=Credentials(emulator.access_key_id, secret or emulator.access_key_secret),
    )
    return Request(method="POST", query=query, headers=headers)


def send_raw(emulator: Emulator, request: Request, *, timeout: float = 10.0) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request byte for byte, on a connection of its own."""
    connection = HTTPConnection(emulator.host, emulator.port, timeout=timeout)
    try:
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"content-length": str(len(request.body)), **request.headers}.items():
            connection.putheader(name, value)
        connection.endheaders(request.body)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def send(emulator: Emulator, request: Request) -> Answered:
    status, headers, body = send_raw(emulator, request)
    return Answered(status, headers, json.loads(body))


def ask(emulator: Emulator, action: str, /, **params: Any) -> Answered:
    return send(emulator, sign_for(emulator, action, **params))
