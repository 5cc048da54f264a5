"""Credentials that expire, with a clock that the test moves and a source that it writes."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import pytest

from airflow_provider_aegis.client.credentials.base import Clock, Fetched
from airflow_provider_aegis.client.credentials.refreshing import (
    EARLY,
    LATE,
    MOST_PROVIDERS,
    PAUSE,
    UNKNOWN_LIFETIME,
    _providers,
    shared_credentials,
)
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConfigurationError,
    ExpiredTokenError,
    SecurityCenterError,
    UnreachableError,
)
from airflow_provider_aegis.client.flows.commands import Flow, Send, Sleep
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import Outcome, wait
from airflow_provider_aegis.client.jobs.once_task import OnceTaskJudge
from airflow_provider_aegis.client.protocol.responses import Response
from tests.fakes import READ, STALE, Stage, answer, config, signature_of
from tests.unit.client.credentials.script import make

# How long they are kept


@pytest.mark.parametrize(
    ("life", "kept"),
    [
        pytest.param(3600.0, 3600 - EARLY, id="an hour"),
        pytest.param(900.0, 900 - EARLY, id="a quarter of one"),
        pytest.param(60.0, 48.0, id="a minute"),
        pytest.param(None, UNKNOWN_LIFETIME * 0.8, id="nobody says"),
    ],
)
def test_credentials_are_kept_until_some_time_before_they_expire(life: float | None, kept: float) -> None:
    rig = make(life)
    assert rig.provider.ready() is None
    assert rig.get().access_key_id == "id-1"
    rig.script.clock.advance(kept - 1)
    assert rig.get().access_key_id == "id-1"
    rig.script.clock.advance(1)
    assert rig.provider.ready() is None
    assert rig.get().access_key_id == "id-2"
    assert rig.script.fetches == 2


def test_credentials_of_a_minute_last_through_a_wait_of_a_day() -> None:
    rig = make(60.0)
    clock = rig.script.clock
    expire: dict[str, float] = {}
    stale: list[str] = []

    def answer_to(send: Send) -> Response:
        access_key_id = signature_of(send).credentials.access_key_id
        expires = expire.setdefault(access_key_id, clock.time() + 60)  # they were fetched for this request
        if clock.time() >= expires:
            stale.append(access_key_id)
        return STALE if access_key_id in stale else answer({"TaskInfo": {"Status": "PROCESSING"}})

    day, pause = 86_400, 30
    on_stage = Stage(config(clock=clock, credentials=rig.provider), [answer_to] * (day // pause + 1))
    deadline = clock.monotonic() + day
    ending = on_stage.run_flow(
        wait(on_stage.config, READ, judge=OnceTaskJudge(), poll_interval=PollInterval(pause, pause), deadline=deadline)
    )
    assert (ending.outcome, ending.error) == (Outcome.DEADLINE, None)
    assert len(on_stage.sent) >= day / pause * 0.9  # the pace is never quite the same
    assert stale == [], "credentials were sent that had expired"
    assert day / 70 < rig.script.fetches < day / 48


def test_credentials_that_have_expired_on_arrival_are_an_error() -> None:
    with pytest.raises(ClockError, match="clock"):
        make(-1.0).get()


# Refreshed ahead


def test_one_caller_refreshes_ahead_while_the_others_go_on_with_good_credentials() -> None:
    rig = make()
    rig.get()
    rig.script.clock.advance(3600 - EARLY)
    refresh = rig.provider.get()
    rig.script.pause = 1
    assert isinstance(next(refresh), Sleep)
    assert {rig.get().access_key_id for _ in range(5)} == {"id-1"}
    assert rig.stage.run_flow(refresh).access_key_id == "id-2"
    assert rig.get().access_key_id == "id-2"
    assert rig.script.fetches == 2


def test_shortly_before_they_expire_everybody_waits_for_the_refresh() -> None:
    rig = make()
    rig.get()
    rig.script.clock.advance(3600 - EARLY)
    rig.script.pause = 1
    next(rig.provider.get())
    rig.script.clock.advance(EARLY - LATE)
    assert rig.provider.ready() is None


@pytest.mark.parametrize(
    "error", [UnreachableError("down"), AuthenticationError("the role is gone"), ConfigurationError("no such file")]
)
def test_a_refresh_ahead_that_fails_keeps_the_good_credentials(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make()
    rig.get()
    rig.script.error = error
    rig.script.clock.advance(3600 - EARLY)
    with caplog.at_level(logging.WARNING):
        assert rig.get().access_key_id == "id-1"
    assert f"{EARLY - LATE:.0f} s more. {error}" in caplog.text
    assert rig.provider.ready(), "for a while nobody tries again"
    rig.script.clock.advance(PAUSE)
    assert rig.get().access_key_id == "id-1"
    assert rig.script.fetches == 3
    rig.script.clock.advance(EARLY - LATE - PAUSE)
    with pytest.raises(type(error), match=re.escape(str(error))):
        rig.get()
    rig.script.error = None
    assert rig.get().access_key_id == "id-5"


# Refused ones


def test_refused_credentials_are_replaced_once_for_all_that_had_them() -> None:
    rig = make()
    first = rig.get()
    assert {rig.get(first).access_key_id for _ in range(5)} == {"id-2"}
    assert rig.script.fetches == 2


@pytest.mark.parametrize("error", [UnreachableError("down"), AuthenticationError("revoked")])
def test_refused_credentials_never_serve_again(error: SecurityCenterError) -> None:
    rig = make()
    refused = rig.get()
    rig.script.error = error
    with pytest.raises(type(error)):
        rig.get(refused)
    with pytest.raises(type(error)):
        rig.get()


def test_a_source_that_hands_out_refused_credentials_once_more_has_none() -> None:
    rig = make()
    rig.script.same = True
    refused = rig.get()
    for asked in (refused, None):
        with pytest.raises(ExpiredTokenError, match="has refused"):
            rig.get(asked)
    rig.script.same = False
    assert rig.get().access_key_id == "id-4"


# Secrets, and what is remembered


def test_every_secret_is_masked_before_it_is_handed_out_and_none_is_shown() -> None:
    rig = make()
    rig.get()
    assert rig.stage.masked == ["secret-1", "token-1"]
    assert rig.provider.account == "account 1"
    assert "secret-1" not in repr(rig.provider)


@dataclass(frozen=True)
class Named:
    """A source that is known by its name."""

    name: str
    account = "account"

    def fetch(self, clock: Clock) -> Flow[Fetched]:
        raise AuthenticationError("none")
        yield


def test_connections_of_the_same_source_share_its_credentials_where_they_trust_the_same() -> None:
    _providers.clear()
    first = shared_credentials(Named("a"))
    assert shared_credentials(Named("a")) is first
    assert shared_credentials(Named("b")) is not first
    assert shared_credentials(Named("a"), ca_bundle="/bundle.pem") is not first
    for number in range(MOST_PROVIDERS - 1):
        shared_credentials(Named(f"{number}"))
        assert shared_credentials(Named("a")) is first
    assert len(_providers) == MOST_PROVIDERS
    _providers.clear()
