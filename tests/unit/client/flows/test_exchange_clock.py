"""A call that the service refuses for its date or its token, which can be put right."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ClockError, ExpiredTokenError, ThrottledError
from airflow_provider_aegis.client.flows.exchange import MAX_ATTEMPTS, clock_offsets, exchange, server_time
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import (
    BROKEN,
    EPOCH,
    HOST,
    OK,
    READ,
    SKEWED,
    STALE,
    START,
    FakeCredentials,
    answer,
    dates,
    failure,
    signature_of,
    stage,
    throttled,
)


@pytest.mark.parametrize("code", ["InvalidTimeStamp.Expired", "IllegalTimestamp"])
@pytest.mark.parametrize("call_", [READ, START], ids=lambda known: known.operation.name)
def test_a_wrong_date_is_sent_once_more_at_once_with_the_services_own_time(code: str, call_: Any) -> None:
    it = stage(failure(code, date="Fri, 02 Jan 2026 04:04:05 GMT"), OK)
    it.run_flow(exchange(it.config, call_))
    assert dates(it) == ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"]
    assert it.slept == []


def test_the_offset_is_kept_for_the_endpoint_and_for_no_other() -> None:
    it = stage(SKEWED, OK, OK)
    it.run_flow(exchange(it.config, READ))
    it.clock.advance(60)
    it.run_flow(exchange(it.config, READ))
    assert dates(it)[2:] == ["2026-01-02T04:05:05Z"]
    other = stage(OK, endpoint=Endpoint("https", "tds.ap-southeast-1.aliyuncs.com"))
    other.run_flow(exchange(other.config, READ))
    assert dates(other) == ["2026-01-02T03:04:05Z"]


def test_an_offset_that_is_right_no_longer_is_replaced() -> None:
    it = stage(SKEWED, OK, SKEWED, OK)
    it.run_flow(exchange(it.config, READ))
    it.clock.epoch += 3600  # somebody set the clock
    it.run_flow(exchange(it.config, READ))
    assert dates(it)[2:] == ["2026-01-02T05:04:05Z", "2026-01-02T04:04:05Z"]


def test_a_second_wrong_date_is_final() -> None:
    it = stage(SKEWED, SKEWED)
    with pytest.raises(ClockError, match="clock of this machine"):
        it.run_flow(exchange(it.config, READ))
    assert len(it.sent) == 2


@pytest.mark.parametrize(
    "reply", [answer({}, date="Fri, 02 Jan 2026 04:04:05 GMT"), SKEWED], ids=["success", "refusal"]
)
def test_every_answer_tells_the_services_time_but_only_a_refusal_changes_what_requests_are_dated(
    reply: Response,
) -> None:
    it = stage(reply, OK)
    assert server_time(it.config) == EPOCH
    it.run_flow(exchange(it.config, READ))
    it.clock.advance(5)
    assert server_time(it.config) == EPOCH + 3600 + 5
    assert clock_offsets == ({HOST: 3600} if reply is SKEWED else {})


@pytest.mark.parametrize("time", ["04:04:05 GMT", "04:04:05 UT", "04:04:05 -0000", "04:04:05", "12:04:05 +0800"])
def test_the_services_time_is_understood_in_every_spelling(time: str) -> None:
    it = stage(failure("IllegalTimestamp", date=f"Fri, 02 Jan 2026 {time}"), OK)
    it.run_flow(exchange(it.config, READ))
    assert clock_offsets == {HOST: 3600}


ODD_DATES = {
    "none": {},
    "empty": {"date": ""},
    "not a date": {"date": "today"},
    "an hour too large for a number": {"date": "Fri, 02 Jan 2026 99999999999999999999:00:00 GMT"},
    "a zone too large for a number": {"date": "Fri, 02 Jan 2026 04:04:05 +99999999999999999999"},
    "the end of time": {"date": "Fri, 31 Dec 9999 23:59:59 -2359"},
}


@pytest.mark.parametrize("headers", ODD_DATES.values(), ids=list(ODD_DATES))
def test_a_wrong_date_is_final_where_the_answer_does_not_tell_the_time_and_the_next_call_is_none_the_worse(
    headers: dict[str, str],
) -> None:
    refused = failure("InvalidTimeStamp.Expired", **headers)
    it = stage(refused, refused)
    with pytest.raises(ClockError):
        it.run_flow(exchange(it.config, READ))
    it.replies = [OK]
    assert it.run_flow(exchange(it.config, READ)) == {"RequestId": "R"}


# Temporary keys


@pytest.mark.parametrize("call_", [READ, START], ids=lambda known: known.operation.name)
def test_an_expired_token_is_fetched_afresh_once_and_the_call_repeated_at_once(call_: Any) -> None:
    old, new = Credentials("old", "s", "t"), Credentials("new", "s", "t")
    it = stage(STALE, BROKEN if call_ is READ else throttled(10), OK, credentials=FakeCredentials([old, new]))
    it.run_flow(exchange(it.config, call_))
    assert it.refreshes == [False, True, False]
    assert [signature_of(send).credentials for send in it.sent] == [old, new, new]


@pytest.mark.parametrize("late", [STALE, SKEWED], ids=["token", "date"])
def test_an_expired_token_or_a_wrong_date_in_the_last_attempt_does_not_end_the_call(late: Any) -> None:
    """A task waits through a service in trouble; that its token expired meanwhile is no reason to fail."""
    it = stage(*[throttled(1)] * (MAX_ATTEMPTS - 1), late, OK)
    assert it.run_flow(exchange(it.config, READ)) == {"RequestId": "R"}


@pytest.mark.parametrize("late", [STALE, SKEWED], ids=["token", "date"])
def test_after_that_one_more_attempt_is_made_and_no_other(late: Any) -> None:
    it = stage(*[throttled(1)] * (MAX_ATTEMPTS - 1), late, throttled(1), OK)
    with pytest.raises(ThrottledError):
        it.run_flow(exchange(it.config, READ))


def test_a_second_expired_token_is_final() -> None:
    it = stage(STALE, STALE)
    with pytest.raises(ExpiredTokenError, match=r"^Renew the STS token of the connection"):
        it.run_flow(exchange(it.config, READ))
    assert (len(it.sent), it.slept) == (2, [])


def test_a_wrong_date_and_an_expired_token_are_both_answered_in_one_call() -> None:
    it = stage(SKEWED, STALE, OK)
    assert it.run_flow(exchange(it.config, START)) == {"RequestId": "R"}
    assert it.refreshes == [False, False, True]
