"""Stand-ins: a clock that a test moves, a service, and a stage on which flows meet scripted replies."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from hypothesis import HealthCheck, settings

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials import CredentialsProvider, StaticCredentials
from airflow_provider_aegis.client.errors import SecurityCenterError
from airflow_provider_aegis.client.flows.commands import (
    Authenticate,
    Command,
    Flow,
    Join,
    Mask,
    ReadFile,
    Reply,
    Send,
    SideBySide,
    Signature,
    Sleep,
)
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.fetches import outcome_of
from airflow_provider_aegis.client.transport.files import read_file

T = TypeVar("T")

# A property is about what comes out, not about how long the machine takes for it.
patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

EPOCH = 1_767_323_045.0  # 2026-01-02T03:04:05Z
KEYS = Credentials("test-access-key-id", "test-access-key-secret")
HOST = "tds.cn-shanghai.aliyuncs.com"


def revealed(credentials: Credentials) -> tuple[str, str, str | None]:
    """Return the AccessKey ID, the secret and the token as plain text."""
    token = credentials.security_token
    return credentials.access_key_id, credentials.access_key_secret.reveal(), token.reveal() if token else None


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    now: float = 0.0
    epoch: float = EPOCH

    def time(self) -> float:
        return self.epoch + self.now

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeCredentials:
    """Hands out one pair of keys after another, a new one whenever the last was refused."""

    keys: list[Credentials] = field(default_factory=lambda: [KEYS])
    refreshes: list[bool] = field(default_factory=list)

    @property
    def account(self) -> str:
        return self.keys[0].access_key_id

    def ready(self, refused: Credentials | None = None) -> Credentials:
        self.refreshes.append(refused is not None)
        if refused and len(self.keys) > 1:
            self.keys.remove(refused)
        return self.keys[0]

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        return self.ready(refused)
        yield


class Highest(random.Random):
    """Draws the upper bound, so that a test can see it."""

    def uniform(self, a: float, b: float) -> float:
        return b


def config(
    *, clock: FakeClock | None = None, credentials: CredentialsProvider | None = None, **changes: Any
) -> ClientConfig:
    """Make a service; its jitter is always the largest, and its budget so wide that nothing is paced."""
    known: dict[str, Any] = {
        "endpoint": Endpoint("https", HOST),
        "credentials": credentials or StaticCredentials(KEYS),
        "clock": clock or FakeClock(),
        "rng": Highest(),
        "max_requests_per_second": float("inf"),
    }
    return ClientConfig(**known | changes)


def answer(payload: Mapping[str, Any] | str | bytes, status: int = 200, /, **headers: str) -> Response:
    """Make an answer; ``x_acs_retry_after="5"`` becomes the header ``x-acs-retry-after``."""
    match payload:
        case bytes():
            body = payload
        case str():
            body = payload.encode()
        case _:
            body = json.dumps(payload).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def failure(code: str, status: int = 400, message: str = "No.", /, **headers: str) -> Response:
    """Make an error answer in the service's envelope."""
    envelope = {"RequestId": "REQUEST-1", "HostId": HOST, "Code": code, "Message": message}
    return answer(envelope, status, **headers)


Scripted: TypeAlias = Response | SecurityCenterError | Callable[[Send], Response | SecurityCenterError]


class Stage:
    """Performs flows against scripted replies. Time passes only while a flow sleeps.

    :param config: its clock has to be a :class:`FakeClock`.
    :param replies: what every request meets in turn, an answer, an error or a function that makes one of the request.
    """

    def __init__(self, config: ClientConfig, replies: Iterable[Scripted] = ()) -> None:
        assert isinstance(config.clock, FakeClock)
        self.config = config
        self.clock = config.clock
        self.replies = list(replies)
        self.sent: list[Send] = []
        self.slept: list[float] = []
        self.refreshes: list[bool] = []
        self.masked: list[str] = []

    def run_flow(self, flow: Flow[T]) -> T:
        reply: Reply = None
        try:
            while True:
                reply = self._do(flow.send(reply))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    def _do(self, command: Command) -> Reply:
        match command:
            case Send():
                self.sent.append(command)
                assert self.replies, f"request {len(self.sent)} was not expected"
                reply = self.replies.pop(0)
                return reply(command) if callable(reply) else reply
            case Sleep(seconds):
                self.slept.append(seconds)
                self.clock.advance(seconds)
                return None
            case Authenticate(refused):
                self.refreshes.append(refused is not None)
                provider = self.config.credentials
                try:
                    return provider.ready(refused) or self.run_flow(provider.get(refused))
                except SecurityCenterError as error:
                    return error
            case ReadFile():
                return read_file(command)
            case Mask(secrets):
                self.masked.extend(secret.reveal() for secret in secrets)
                return None
            case Join(fetch):
                return outcome_of(fetch) if fetch.done.done() else None
            case SideBySide(flows):
                return self._perform(flows)

    def _perform(self, flows: Sequence[Flow[Any]]) -> list[Any]:
        outcomes: list[Any] = [None] * len(flows)
        for number, flow in enumerate(flows):
            try:
                outcomes[number] = self.run_flow(flow)
            except SecurityCenterError as error:
                outcomes[number] = error
                break
        return outcomes


def stage(*replies: Scripted, **changes: Any) -> Stage:
    """Make a stage with a service of its own."""
    return Stage(config(**changes), replies)


def dates(stage: Stage) -> list[str]:
    """Return what the requests were dated."""
    return [signature_of(send).date for send in stage.sent]


def signature_of(send: Send) -> Signature:
    """Return what a request is signed with, as every call of Security Center is."""
    assert send.signature
    return send.signature


def throttled(milliseconds: int | str) -> Response:
    """Make an answer that asks to wait."""
    return failure("Throttling.User", x_acs_retry_after=str(milliseconds))


READ = call("GetOnceTaskResultInfo", TaskId="t1", TaskType="T", TaskName="T & N")
START = call("GenerateOnceTask", TaskType="T", TaskName="T", Param="{}")
CANCEL = call("CancelOnceTask", TaskId="t1")

OK = answer({"RequestId": "R"})
BROKEN = failure("ServerError", 500)
STALE = failure("InvalidSecurityToken.Expired")
SKEWED = failure("InvalidTimeStamp.Expired", date="Fri, 02 Jan 2026 04:04:05 GMT")  # an hour ahead of the fake clock
