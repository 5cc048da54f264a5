"""Keys that expire, with a clock that the test moves and a source that it writes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.errors import AuthenticationError, ClockError, SecurityCenterError, UnreachableError
from airflow_provider_aegis.client.exchange import Send
from airflow_provider_aegis.client.pace import Pace
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.temporary_credentials import (
    LONGEST_MARGIN,
    PAUSE,
    UNKNOWN_LIFETIME,
    Fetched,
    TemporaryCredentials,
)
from airflow_provider_aegis.client.watch import Outcome, watch
from tests.fakes import READ, STALE, FakeClock, Stage, answer, service, signature_of


@dataclass
class Script:
    """Keys that live for ``life`` seconds, or the error that is there."""

    clock: FakeClock
    life: float | None = 3600.0
    error: Exception | None = None
    asked: int = 0
    gate: threading.Event | None = None
    account: str = "account 1"

    def fetch(self) -> Fetched:
        self.asked += 1
        number = self.asked
        if self.gate:
            self.gate.wait(5)
        if self.error:
            raise self.error
        expires = None if self.life is None else self.clock.time() + self.life
        return Fetched(Credentials(f"id-{number}", f"secret-{number}", f"token-{number}"), expires)


def make(life: float | None = 3600.0) -> tuple[TemporaryCredentials, Script]:
    clock = FakeClock(now=1000.0)
    script = Script(clock, life)
    return TemporaryCredentials(script, clock=clock), script


@pytest.mark.parametrize(
    ("life", "kept"),
    [
        pytest.param(3600.0, 3600 - LONGEST_MARGIN, id="an hour"),
        pytest.param(900.0, 900 - LONGEST_MARGIN, id="what the library would fetch for every request"),
        pytest.param(60.0, 48.0, id="a minute"),
        pytest.param(None, UNKNOWN_LIFETIME * 0.8, id="nobody says"),
    ],
)
def test_keys_are_kept_until_shortly_before_they_expire(life: float | None, kept: float) -> None:
    provider, script = make(life)
    assert provider.blocks
    assert provider.get().access_key_id == "id-1"
    script.clock.advance(kept - 2)
    assert not provider.blocks
    assert provider.get().access_key_id == "id-1"
    script.clock.advance(2)
    assert provider.blocks
    assert provider.get().access_key_id == "id-2"
    assert script.asked == 2


def test_refused_keys_are_replaced_once_for_all_who_had_them() -> None:
    provider, script = make()
    first = provider.get()
    assert {provider.get(refused=first).access_key_id for _ in range(5)} == {"id-2"}
    assert script.asked == 2


def test_keys_of_a_minute_last_through_a_wait_of_a_day() -> None:
    provider, script = make(60.0)
    expire: dict[str, float] = {}
    stale: list[str] = []

    def answer_to(send: Send) -> Answer:
        keys = signature_of(send).credentials.access_key_id
        expires = expire.setdefault(keys, script.clock.time() + 60)  # they were fetched for this request
        if script.clock.time() >= expires:
            stale.append(keys)
        return STALE if keys in stale else answer({"TaskInfo": {"Status": "PROCESSING"}})

    day, pause = 86_400, 30
    on_stage = Stage(service(clock=script.clock, credentials=provider), [answer_to] * (day // pause + 1))
    deadline = script.clock.monotonic() + day
    ending = on_stage.perform(watch(on_stage.service, READ, pace=Pace(pause, pause), deadline=deadline))
    assert (ending.outcome, ending.error) == (Outcome.DEADLINE, None)
    assert len(on_stage.sent) >= day / pause * 0.9  # the pace is never quite the same
    assert stale == [], "keys were sent that had expired"
    assert day / 70 < script.asked < day / 48


def test_of_many_that_ask_at_once_one_fetches() -> None:
    provider, script = make()
    script.gate = threading.Event()
    with ThreadPoolExecutor(50) as pool:
        futures = [pool.submit(provider.get) for _ in range(200)]
        script.gate.set()
        assert {future.result().access_key_id for future in futures} == {"id-1"}
    assert script.asked == 1


def test_while_no_others_can_be_had_the_old_keys_serve_until_they_expire() -> None:
    provider, script = make(60.0)
    provider.get()
    script.error = UnreachableError("down")
    script.clock.advance(50)
    assert provider.get().access_key_id == "id-1"
    assert not provider.blocks, "for a while nobody tries again"
    script.clock.advance(PAUSE)
    with pytest.raises(UnreachableError, match="down"):
        provider.get()
    script.error = None
    assert provider.get().access_key_id == "id-4"


@pytest.mark.parametrize("error", [UnreachableError("down"), AuthenticationError("revoked")])
def test_refused_keys_never_serve_again(error: SecurityCenterError) -> None:
    provider, script = make()
    keys = provider.get()
    script.error = error
    with pytest.raises(type(error)):
        provider.get(refused=keys)


def test_a_final_error_is_told_at_once() -> None:
    provider, script = make(60.0)
    provider.get()
    script.error = AuthenticationError("the role is gone")
    script.clock.advance(50)
    with pytest.raises(AuthenticationError, match="gone"):
        provider.get()


def test_those_who_wait_are_told_the_error_of_the_one_who_fetched() -> None:
    provider, script = make()
    script.error, script.gate = UnreachableError("down"), threading.Event()
    failures: list[Exception] = []

    def ask() -> None:
        try:
            provider.get()
        except UnreachableError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    while not script.asked:
        threading.Event().wait(0.01)
    threading.Event().wait(0.1)  # really waits, until the others stand in line
    script.clock.advance(1)
    script.gate.set()
    for thread in threads:
        thread.join()
    assert script.asked == 1
    assert len({id(failure) for failure in failures}) == 20


def test_keys_that_have_expired_on_arrival_are_an_error() -> None:
    provider, _ = make(-1.0)
    with pytest.raises(ClockError, match="clock"):
        provider.get()


def test_every_secret_is_told_before_it_is_handed_out_and_none_is_shown() -> None:
    told: list[str] = []
    script = Script(FakeClock())
    provider = TemporaryCredentials(script, on_secret=told.append, clock=script.clock)
    provider.get()
    assert told == ["secret-1", "token-1"]
    assert provider.account == "account 1"
    assert "secret-1" not in repr(provider)
    assert "token-1" not in repr(provider)


def test_a_signal_handler_may_ask_while_its_own_thread_fetches() -> None:
    provider, script = make()
    inner: list[Credentials] = []
    fetch = script.fetch

    def interrupted() -> Fetched:
        if not script.asked:
            script.asked += 1
            inner.append(provider.get())
        return fetch()

    script.fetch = interrupted  # type: ignore[method-assign]
    thread = threading.Thread(target=provider.get, daemon=True)
    thread.start()
    thread.join(5)
    assert inner
