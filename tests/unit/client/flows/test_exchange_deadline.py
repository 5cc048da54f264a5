"""A call that has a deadline."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.errors import (
    DeadlineExceededError,
    NoAnswerError,
    OutcomeUnknownError,
    SecurityCenterError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from airflow_provider_aegis.client.flows import rate_limit
from airflow_provider_aegis.client.flows.exchange import Authenticate, exchange
from airflow_provider_aegis.client.protocol.responses import Response
from tests.fakes import BROKEN, OK, READ, SKEWED, STALE, START, FakeClock, Scripted, patiently, stage, throttled


def test_nobody_sleeps_past_the_deadline_and_the_error_in_hand_is_raised() -> None:
    it = stage(BROKEN, BROKEN)
    with pytest.raises(ServiceError):
        it.run_flow(exchange(it.config, READ, deadline=2.5))
    assert it.slept == [1]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    it = stage(throttled(200_000))
    with pytest.raises(ThrottledError) as caught:
        it.run_flow(exchange(it.config, READ, deadline=150))
    assert (it.slept, caught.value.retry_after) == ([], 200)


def test_a_long_wait_within_the_deadline_is_kept() -> None:
    it = stage(throttled(200_000), OK)
    it.run_flow(exchange(it.config, READ, deadline=250))
    assert it.slept == [200]


def test_time_outs_are_cut_to_what_is_left_of_the_deadline() -> None:
    it = stage(BROKEN, BROKEN, OK, connect_timeout=5.0, read_timeout=10.0)
    it.run_flow(exchange(it.config, READ, deadline=7))
    assert [(send.connect_timeout, send.read_timeout) for send in it.sent] == [(5, 7), (5, 6), (4, 4)]


def test_without_a_deadline_time_outs_are_those_of_the_service() -> None:
    it = stage(OK, connect_timeout=5.0, read_timeout=10.0)
    it.run_flow(exchange(it.config, READ))
    assert (it.sent[0].connect_timeout, it.sent[0].read_timeout) == (5, 10)


def test_whose_turn_comes_after_the_deadline_sends_nothing() -> None:
    it = stage(OK, max_requests_per_second=0.5)
    it.run_flow(exchange(it.config, READ))
    with pytest.raises(DeadlineExceededError) as caught:
        it.run_flow(exchange(it.config, READ, deadline=1.5))
    assert (len(it.sent), it.slept, caught.value.action) == (1, [], "GetOnceTaskResultInfo")


@patiently
@given(seed=st.integers(), deadline=st.floats(0.2, 40), replies=st.lists(st.sampled_from([BROKEN, throttled(9000)])))
def test_a_call_is_over_by_its_deadline(seed: int, deadline: float, replies: list[Response]) -> None:
    rate_limit._limiters.clear()
    it = stage(*replies, *[OK] * 5, rng=random.Random(seed), max_requests_per_second=5.0)
    with contextlib.suppress(SecurityCenterError):
        it.run_flow(exchange(it.config, READ, deadline=deadline))
    assert it.clock.now < deadline


def slow(seconds: float, reply: Response | SecurityCenterError, clock: FakeClock) -> Scripted:
    def after_a_while(_: object) -> Response | SecurityCenterError:
        clock.advance(seconds)
        return reply

    return after_a_while


@pytest.mark.parametrize("reply", [BROKEN, SKEWED, STALE], ids=["server", "clock", "token"])
def test_nothing_is_tried_any_more_once_the_deadline_has_passed(reply: Response) -> None:
    clock = FakeClock()
    it = stage(slow(8, reply, clock), OK, clock=clock)
    with pytest.raises(SecurityCenterError):
        it.run_flow(exchange(it.config, READ, deadline=5))
    assert len(it.sent) == 1


def test_a_write_that_got_no_answer_by_the_deadline_stays_an_open_question() -> None:
    clock = FakeClock()
    it = stage(slow(8, NoAnswerError("time-out"), clock), clock=clock)
    with pytest.raises(OutcomeUnknownError):
        it.run_flow(exchange(it.config, START, deadline=5))


def test_a_call_that_begins_after_its_deadline_sends_nothing() -> None:
    it = stage(OK, clock=FakeClock(now=6))
    with pytest.raises(DeadlineExceededError):
        it.run_flow(exchange(it.config, READ, deadline=5))
    assert it.sent == []


def test_credentials_are_waited_for_until_the_deadline() -> None:
    it = stage()
    flow = exchange(it.config, READ, deadline=10)
    assert next(flow) == Authenticate(seconds=10)
    flow.send(UnreachableError("none for now"))
    it.clock.advance(4)
    assert next(flow) == Authenticate(seconds=6)
