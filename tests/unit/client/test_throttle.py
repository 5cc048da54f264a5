from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from airflow_provider_aegis.client import throttle
from airflow_provider_aegis.client.endpoints import Endpoint
from airflow_provider_aegis.client.errors import DeadlineExceededError
from airflow_provider_aegis.client.exchange import Command, Conversation, Sleep, exchange
from airflow_provider_aegis.client.operations import call
from airflow_provider_aegis.client.service import Service
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.throttle import SLOWEST, SPEED_UP, Budget, shared_budget
from tests.fakes import FakeClock, FakeCredentials, Stage, answer, failure, service, signature_of

T = TypeVar("T")

READ = call("DescribeOnceTask")


def make(ceiling: float = 5.0) -> tuple[Budget, FakeClock]:
    clock = FakeClock(now=1000.0)
    return Budget(ceiling, clock.monotonic), clock


def test_requests_are_spaced_evenly_in_the_order_in_which_they_asked() -> None:
    budget, _ = make(ceiling=5)
    assert [budget.reserve() for _ in range(4)] == pytest.approx([0, 0.2, 0.4, 0.6])


def test_time_that_passes_counts_but_idleness_saves_up_no_burst() -> None:
    budget, clock = make(ceiling=5)
    budget.reserve()
    clock.advance(0.15)
    assert budget.reserve() == pytest.approx(0.05)
    clock.advance(1000)
    assert [budget.reserve() for _ in range(3)] == pytest.approx([0, 0.2, 0.4])


def test_an_answer_that_says_throttled_halves_the_pace() -> None:
    budget, _ = make(ceiling=4)
    budget.throttled(0)
    assert [budget.reserve() for _ in range(3)] == pytest.approx([0, 0.5, 1.0])
    budget.throttled(0)
    assert budget.rate == 1


@pytest.mark.parametrize(("ceiling", "slowest"), [(5.0, SLOWEST), (0.1, 0.1)])
def test_the_pace_never_falls_below_a_crawl(ceiling: float, slowest: float) -> None:
    budget, _ = make(ceiling)
    for _ in range(50):
        budget.throttled(0)
    assert budget.rate == slowest


def test_every_other_answer_lifts_the_pace_a_little_and_never_beyond_the_ceiling() -> None:
    budget, _ = make(ceiling=5)
    budget.throttled(0)
    budget.answered()
    assert budget.rate == pytest.approx(2.5 + SPEED_UP)
    for _ in range(1000):
        budget.answered()
    assert budget.rate == 5


def test_a_wait_that_the_service_asked_for_holds_for_everybody() -> None:
    budget, clock = make(ceiling=5)
    budget.throttled(10)
    clock.advance(4)
    assert [budget.reserve() for _ in range(2)] == pytest.approx([6, 6.4])


def test_a_shorter_wait_does_not_shorten_a_longer_one() -> None:
    budget, _ = make()
    budget.throttled(10)
    budget.throttled(1)
    budget.throttled(0)
    assert budget.reserve() == 10


def in_threads(action: Callable[[], T], times: int) -> list[T]:
    with ThreadPoolExecutor(16) as pool:
        return [future.result() for future in [pool.submit(action) for _ in range(times)]]


def test_no_two_threads_get_the_same_place() -> None:
    budget, _ = make(ceiling=8)  # 1/8 s adds up without rounding
    assert sorted(in_threads(budget.reserve, 2000)) == [place / 8 for place in range(2000)]


def test_no_halving_and_no_lift_is_lost_between_threads() -> None:
    budget, _ = make(ceiling=2.0**60)
    in_threads(lambda: budget.throttled(0), 50)
    assert budget.rate == 2.0**10


def test_a_call_in_a_signal_handler_does_not_wait_for_the_one_that_it_interrupts() -> None:
    """A task that is killed cancels its scan from there, maybe while its own thread holds the budget."""
    places: list[float] = []

    def now() -> float:
        if not places:  # the signal comes in the middle of the first reservation
            places.append(-1)
            places.append(budget.reserve())
        return 0.0

    budget = Budget(5, now)
    thread = threading.Thread(target=budget.reserve, daemon=True)
    thread.start()
    thread.join(timeout=5)
    assert places == [-1, 0]


def share(account: str = "id", endpoint: str = "host", ceiling: float = 5.0) -> Budget:
    return shared_budget(account=account, endpoint=endpoint, ceiling=ceiling, now=FakeClock().monotonic)


def test_a_budget_is_shared_by_account_and_endpoint() -> None:
    assert share() is share()
    assert share() is not share(account="another")
    assert share() is not share(endpoint="another")
    assert len(set(in_threads(lambda: share(account="third"), 200))) == 1


def test_only_so_many_budgets_are_remembered_and_those_in_use_are() -> None:
    kept = share()
    for number in range(2 * throttle.MOST_BUDGETS):
        share(account=f"account {number}")
        assert share() is kept
    assert len(throttle._budgets) == throttle.MOST_BUDGETS


def test_keys_that_change_keep_the_budget_of_their_account() -> None:
    class Role(FakeCredentials):
        account = "account 1"

    keys = Role([Credentials("first", "s", "t"), Credentials("second", "s", "t")])
    stage = Stage(service(credentials=keys), [failure("InvalidSecurityToken.Expired"), answer({})])
    stage.perform(exchange(stage.service, READ))
    assert [signature_of(send).credentials.access_key_id for send in stage.sent] == ["first", "second"]
    assert [account for account, _ in throttle._budgets] == ["account 1"]


def test_the_lower_ceiling_wins() -> None:
    budget = share(ceiling=5)
    share(ceiling=2)
    assert (budget.ceiling, budget.rate) == (2, 2)
    share(ceiling=5)
    assert (budget.ceiling, budget.rate) == (2, 2)


def test_a_lower_ceiling_does_not_speed_up_what_was_slowed_down() -> None:
    budget = share(ceiling=8)
    for _ in range(3):
        budget.throttled(0)
    share(ceiling=4)
    assert (budget.ceiling, budget.rate) == (4, 1)


def paced(clock: FakeClock, host: str = "host", account: str = "id") -> Service:
    keys = FakeCredentials([Credentials(account, "s")])
    return service(clock=clock, endpoint=Endpoint("https", host), credentials=keys, max_requests_per_second=5.0)


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
    Stage(paced(clock), [answer({})]).perform(exchange(paced(clock), READ))
    stage = Stage(paced(clock, **second), [answer({})])
    stage.perform(exchange(stage.service, READ))
    assert stage.slept == pytest.approx(slept)


def test_a_repeated_request_keeps_to_the_pace_too() -> None:
    stage = Stage(paced(FakeClock()), [failure("InvalidTimeStamp.Expired", date="Fri, 02 Jan 2026 03:04:05 GMT")])
    stage.replies.append(answer({}))
    stage.perform(exchange(stage.service, READ))
    assert stage.slept == pytest.approx([0.2])


def test_the_answers_set_the_pace() -> None:
    clock = FakeClock()
    stage = Stage(paced(clock), [failure("Throttling")] * 2 + [answer({})])
    stage.perform(exchange(stage.service, READ))
    (budget,) = throttle._budgets.values()
    assert budget.rate == pytest.approx(5 / 2 / 2 + SPEED_UP)
    clock.advance(60)
    assert budget.reserve() == 0


def begin(clock: FakeClock, deadline: float | None = None) -> tuple[Conversation[dict[str, Any]], Command]:
    """Begin a call; give it and the first that it wants once it has its keys."""
    conversation = exchange(paced(clock), READ, deadline=deadline)
    next(conversation)
    return conversation, conversation.send(Credentials("id", "s"))


def test_a_wait_asked_of_one_call_is_kept_by_the_next() -> None:
    clock = FakeClock()
    first, _ = begin(clock)
    first.send(failure("Throttling", x_acs_retry_after="7000"))
    assert begin(clock)[1] == Sleep(7)


def test_a_refusal_that_asks_for_no_wait_holds_nobody_up() -> None:
    clock = FakeClock()
    first, _ = begin(clock)
    first.send(failure("Throttling"))
    assert begin(clock)[1] == Sleep(0.2)


def test_a_wait_asked_of_one_call_is_kept_by_those_that_stand_in_the_queue_already() -> None:
    """Their place came before the wait was asked for: used all the same, it meets the next refusal."""
    clock = FakeClock()
    first, _ = begin(clock)
    queued, wanted = begin(clock)
    assert wanted == Sleep(0.2)
    first.send(failure("Throttling", x_acs_retry_after="7000"))
    clock.advance(0.2)
    assert isinstance(queued.send(None), Sleep)


def test_who_stands_in_the_queue_when_the_wait_grows_beyond_the_deadline_sends_nothing() -> None:
    clock = FakeClock()
    first, _ = begin(clock)
    queued, _ = begin(clock, deadline=5)
    first.send(failure("Throttling", x_acs_retry_after="7000"))
    clock.advance(0.2)
    with pytest.raises(DeadlineExceededError):
        queued.send(None)
