"""Which call goes when: the order, the rate, the pauses, and what is shared."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import DeadlineExceededError
from airflow_provider_aegis.client.flows import rate_limit
from airflow_provider_aegis.client.flows.exchange import Command, Flow, Send, Sleep, exchange
from airflow_provider_aegis.client.flows.rate_limit import (
    CEILING_SECONDS,
    LONGEST_NAP_SECONDS,
    Priority,
    RateLimiter,
    Turn,
    limiter_of,
)
from airflow_provider_aegis.client.protocol.endpoints import Endpoint
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import CANCEL, READ, FakeClock, FakeCredentials, Stage, answer, config, failure, signature_of

T = TypeVar("T")
URGENT, CALL, POLL = Priority.URGENT, Priority.CALL, Priority.POLL


class Never(random.Random):
    """Draws no jitter."""

    def random(self) -> float:
        return 0.0


def make(ceiling: float = 5.0) -> tuple[RateLimiter, FakeClock]:
    clock = FakeClock(now=1000.0)
    return RateLimiter(ceiling, clock.monotonic, Never()), clock


def line_up(limiter: RateLimiter, number: int, priority: Priority = CALL) -> list[Turn]:
    """Have so many calls wait, behind one that goes."""
    turns = [limiter.turn(priority) for _ in range(number + 1)]
    waits = [limiter.reserve(turn) for turn in turns]
    assert waits[0] == 0
    assert all(waits[1:])
    return turns[1:]


def test_calls_go_at_the_ceiling_in_the_order_in_which_they_came() -> None:
    limiter, clock = make(ceiling=5)
    turns = line_up(limiter, 3)
    assert [limiter.reserve(turn) for turn in turns] == pytest.approx([0.2, 0.4, 0.6])
    clock.advance(0.2)
    assert [limiter.reserve(turn) for turn in turns[::-1]] == pytest.approx([0.4, 0.2, 0])


def test_idleness_saves_up_no_burst() -> None:
    limiter, clock = make(ceiling=5)
    line_up(limiter, 0)
    clock.advance(1000)
    turns = line_up(limiter, 2)
    assert [limiter.reserve(turn) for turn in turns] == pytest.approx([0.2, 0.4])


def test_a_call_that_gives_up_takes_no_place() -> None:
    limiter, _ = make(ceiling=5)
    turns = line_up(limiter, 200)
    for turn in turns[:199]:
        limiter.leave(turn)
    assert limiter.reserve(turns[-1]) == pytest.approx(0.2)


def test_polls_go_behind_calls_and_urgent_calls_before_all() -> None:
    limiter, clock = make(ceiling=5)
    polls = line_up(limiter, 60, POLL)
    assert limiter.reserve(limiter.turn(URGENT)) == 0
    call = limiter.turn(CALL)
    assert limiter.reserve(call) == pytest.approx(0.2)
    clock.advance(1 / limiter.rate)
    assert limiter.reserve(polls[0]) > 0, "the call goes first"
    assert limiter.reserve(call) == 0


def test_an_urgent_call_delays_the_others_by_its_own_request_alone() -> None:
    limiter, clock = make(ceiling=5)
    (turn,) = line_up(limiter, 1)
    clock.advance(0.1)
    assert limiter.reserve(limiter.turn(URGENT)) == 0
    assert limiter.reserve(turn) == pytest.approx(0.2)


def test_of_many_urgent_calls_each_goes_in_its_order() -> None:
    limiter, clock = make(ceiling=5)
    turns = line_up(limiter, 59, URGENT)
    assert [limiter.reserve(turn) for turn in turns[:3]] == pytest.approx([0.2, 0.4, 0.6])
    clock.advance(0.2)
    assert limiter.reserve(turns[0]) == 0


def test_an_urgent_call_waits_for_what_the_service_asked_of_its_own_operation_alone() -> None:
    limiter, _ = make()
    limiter.throttled(10, "GetOnceTaskResultInfo")
    assert limiter.reserve(limiter.turn(URGENT), "CancelOnceTask") == 0
    assert limiter.reserve(limiter.turn(URGENT), "GetOnceTaskResultInfo") == 10


@pytest.mark.parametrize("priority", [CALL, POLL])
def test_a_wait_that_the_service_asked_for_holds_for_everybody(priority: Priority) -> None:
    limiter, clock = make()
    limiter.throttled(10)
    limiter.throttled(1)
    clock.advance(4)
    assert limiter.reserve(limiter.turn(priority)) == pytest.approx(6)


def test_a_refusal_that_names_no_wait_holds_up_polls_alone() -> None:
    limiter, _ = make()
    limiter._rng = random.Random(1)
    limiter.throttled(0)
    assert limiter.reserve(limiter.turn(POLL)) > 0
    assert limiter.reserve(limiter.turn(CALL)) == 0


def test_processes_do_not_come_back_at_the_same_moment_after_a_pause() -> None:
    waits = set()
    for seed in range(16):
        limiter, _ = make()
        limiter._rng = random.Random(seed)
        limiter.throttled(1)
        waits.add(limiter.reserve(limiter.turn(POLL)))
    assert len(waits) == 16
    assert min(waits) >= 1


def test_what_is_learnt_from_refusals_slows_down_polls_alone() -> None:
    limiter, clock = make(ceiling=5)
    for _ in range(20):
        limiter.throttled(0)
    assert limiter.rate < 1
    line_up(limiter, 0)
    clock.advance(0.2)
    assert limiter.reserve(limiter.turn(POLL)) > 0.5
    assert limiter.reserve(limiter.turn(CALL)) == 0


def test_a_refused_request_is_not_counted_and_its_turn_stays_the_first() -> None:
    limiter, _ = make(ceiling=5)
    refused, *others = [limiter.turn(POLL) for _ in range(20)]
    assert limiter.reserve(refused) == 0
    assert all(limiter.reserve(turn) for turn in others)
    limiter.throttled(0)
    assert limiter.reserve(refused) == 0


def test_the_line_moves_as_fast_as_the_rate_is_now() -> None:
    limiter, _ = make(ceiling=5)
    last = line_up(limiter, 20, POLL)[-1]
    slow, rate = limiter.reserve(last), limiter.rate
    for _ in range(8):
        limiter.answered()
    assert limiter.rate > 1.5 * rate
    assert limiter.reserve(last) == pytest.approx(slow * rate / limiter.rate)
    assert limiter.nap(slow) == LONGEST_NAP_SECONDS, "a call that slept for longer would not notice"


def test_a_call_that_sleeps_on_when_its_moment_has_come_holds_the_others_up_by_one_request() -> None:
    limiter, clock = make(ceiling=5)
    absent, *others = line_up(limiter, 5)
    clock.advance(0.4)
    assert limiter.reserve(others[0]) == 0
    clock.advance(0.2)
    assert limiter.reserve(others[1]) == 0
    assert limiter.reserve(others[2]) > 0
    assert limiter.reserve(absent) == 0


def in_threads(action: Callable[[], T], times: int) -> list[T]:
    with ThreadPoolExecutor(16) as pool:
        return [future.result() for future in [pool.submit(action) for _ in range(times)]]


def test_no_two_threads_get_the_same_place() -> None:
    limiter, _ = make(ceiling=8)
    waits = in_threads(lambda: limiter.reserve(limiter.turn(CALL)), 500)
    assert waits.count(0) == 1
    assert len(limiter._line) == 499


def test_a_call_in_a_signal_handler_does_not_wait_for_the_one_that_it_interrupts() -> None:
    """A task that is killed may be interrupted while its own thread holds the limiter."""
    waits: list[float] = []

    def now() -> float:
        if limiters and not waits:  # the signal comes in the middle of the first reservation
            waits.append(-1)
            waits.append(limiters[0].reserve(limiters[0].turn(URGENT)))
        return 0.0

    limiters: list[RateLimiter] = []
    limiters.append(RateLimiter(5, now, Never()))
    thread = threading.Thread(target=lambda: limiters[0].reserve(limiters[0].turn(CALL)), daemon=True)
    thread.start()
    thread.join(timeout=5)
    assert waits == [-1, 0]


def paced(clock: FakeClock | None = None, host: str = "host", account: str = "id", **changes: Any) -> ClientConfig:
    keys = FakeCredentials([Credentials(account, "s")])
    known = {"max_requests_per_second": 5.0, "rng": Never(), **changes}
    return config(clock=clock or FakeClock(), endpoint=Endpoint("https", host), credentials=keys, **known)


def test_a_limiter_is_shared_by_account_and_endpoint() -> None:
    assert limiter_of(paced()) is limiter_of(paced())
    assert limiter_of(paced()) is not limiter_of(paced(account="another"))
    assert limiter_of(paced()) is not limiter_of(paced(host="another"))
    assert len(set(in_threads(lambda: limiter_of(paced(account="third")), 200))) == 1


def test_only_so_many_limiters_are_remembered_and_those_in_use_are() -> None:
    kept = limiter_of(paced())
    for number in range(2 * rate_limit.MOST_LIMITERS):
        limiter_of(paced(account=f"account {number}"))
        assert limiter_of(paced()) is kept
    assert len(rate_limit._limiters) == rate_limit.MOST_LIMITERS


def test_credentials_that_change_keep_the_limiter_of_their_account() -> None:
    class Role(FakeCredentials):
        account = "account 1"

    keys = Role([Credentials("first", "s", "t"), Credentials("second", "s", "t")])
    stage = Stage(config(credentials=keys), [failure("InvalidSecurityToken.Expired"), answer({})])
    stage.run_flow(exchange(stage.config, READ))
    assert [signature_of(send).credentials.access_key_id for send in stage.sent] == ["first", "second"]
    assert [account for account, _ in rate_limit._limiters] == ["account 1"]


def test_a_ceiling_that_is_raised_takes_effect_at_once_and_so_does_one_that_is_lowered() -> None:
    clock = FakeClock()
    for read_at, ceiling in enumerate([2.0, 8.0, 3.0]):
        limiter = limiter_of(paced(clock, conn_id="a", read_at=read_at, max_requests_per_second=ceiling))
        assert limiter.ceiling == ceiling
        assert limiter.rate <= ceiling
    old = paced(clock, conn_id="a", read_at=0.0, max_requests_per_second=2.0)
    assert limiter_of(old).ceiling == 3, "a trigger that read the connection before changes nothing"


def test_of_two_connections_in_use_the_lower_ceiling_counts() -> None:
    clock = FakeClock()
    low, high = (paced(clock, conn_id=name, max_requests_per_second=many) for name, many in (("a", 2.0), ("b", 8.0)))
    assert limiter_of(high).ceiling == 8
    assert limiter_of(low).ceiling == limiter_of(high).ceiling == 2
    clock.advance(CEILING_SECONDS + 1)
    assert limiter_of(high).ceiling == 8, "the other has not been used for long"


@pytest.mark.parametrize(
    ("second", "slept"),
    [
        pytest.param({}, [0.2], id="the same account at the same endpoint"),
        pytest.param({"host": "another"}, [], id="another endpoint"),
        pytest.param({"account": "another"}, [], id="another account"),
    ],
)
def test_calls_pace_one_another(second: dict[str, str], slept: list[float]) -> None:
    clock = FakeClock()
    Stage(paced(clock), [answer({})]).run_flow(exchange(paced(clock), READ))
    stage = Stage(paced(clock, **second), [answer({})])
    stage.run_flow(exchange(stage.config, READ))
    assert stage.slept == pytest.approx(slept)


def begin(
    clock: FakeClock, deadline: float | None = None, call: Any = READ, priority: Priority = CALL
) -> tuple[Flow[dict[str, Any]], Command]:
    """Begin a call; give it and the first that it wants once it has its credentials."""
    flow = exchange(paced(clock), call, deadline=deadline, priority=priority)
    next(flow)
    return flow, flow.send(Credentials("id", "s"))


def test_sixty_polls_do_not_keep_a_cancel_waiting() -> None:
    clock = FakeClock()
    polls = [begin(clock, priority=POLL) for _ in range(60)]
    assert sum(isinstance(wanted, Send) for _, wanted in polls) == 1
    assert isinstance(begin(clock, call=CANCEL)[1], Send)


def test_a_cancel_goes_in_a_pause_that_is_longer_than_its_deadline() -> None:
    clock = FakeClock()
    first, _ = begin(clock, call=CANCEL)
    first.send(failure("Throttling", x_acs_retry_after="7000"))
    assert begin(clock, call=CANCEL, deadline=60.0)[1] == Sleep(7)
    assert isinstance(begin(clock, call=CANCEL, deadline=4.0)[1], Send)


def test_cancels_whose_turn_comes_after_their_deadline_go_at_once() -> None:
    clock = FakeClock()
    cancels = [begin(clock, call=CANCEL, deadline=4.0) for _ in range(60)]
    waiting = [wanted for _, wanted in cancels if isinstance(wanted, Sleep)]
    assert len(waiting) == 4 * 5 - 1, "as many as go within the deadline at 5 a second, without the first"
    assert sum(isinstance(wanted, Send) for _, wanted in cancels) == 60 - len(waiting)


def test_a_wait_asked_of_one_call_is_kept_by_those_that_stand_in_the_line_already() -> None:
    clock = FakeClock()
    first, _ = begin(clock)
    queued, wanted = begin(clock)
    assert wanted == Sleep(0.2)
    first.send(failure("Throttling", x_acs_retry_after="7000"))
    clock.advance(0.2)
    assert isinstance(queued.send(None), Sleep)


def test_a_call_whose_deadline_comes_before_its_turn_sends_nothing_and_leaves_the_line() -> None:
    clock = FakeClock()
    begin(clock)
    for _ in range(200):
        with pytest.raises(DeadlineExceededError):
            begin(clock, deadline=0.1)
    assert begin(clock)[1] == Sleep(0.2)


def test_a_call_that_is_cancelled_leaves_the_line() -> None:
    clock = FakeClock()
    begin(clock)
    waiting, _ = begin(clock)
    waiting.close()
    assert limiter_of(paced(clock))._line == []
