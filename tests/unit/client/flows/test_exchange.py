from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_aegis.client.credentials import StaticCredentials
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    NoAnswerError,
    SecurityCenterError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from airflow_provider_aegis.client.flows import exchange as module
from airflow_provider_aegis.client.flows.exchange import (
    LONGEST_RETRY_AFTER,
    MAX_ATTEMPTS,
    Authenticate,
    Send,
    Sleep,
    exchange,
)
from airflow_provider_aegis.client.protocol.operations import Call, call
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import (
    BROKEN,
    CANCEL,
    HOST,
    KEYS,
    OK,
    READ,
    START,
    Stage,
    answer,
    config,
    dates,
    failure,
    signature_of,
    stage,
    throttled,
)

# The request


def test_a_call_is_one_signed_post_with_the_parameters_in_the_query() -> None:
    it = stage(OK)
    assert it.run_flow(exchange(it.config, READ)) == {"RequestId": "R"}
    (send,) = it.sent
    query = "TaskId=t1&TaskName=T%20%26%20N&TaskType=T"
    assert (send.method, send.url) == ("POST", f"https://{HOST}/?{query}")
    headers = signature_of(send).headers(method=send.method, host=HOST, path="/", query=query)
    assert headers["x-acs-action"] == "GetOnceTaskResultInfo"
    assert headers["x-acs-version"] == "2018-12-03"
    assert headers["x-acs-date"] == "2026-01-02T03:04:05Z"
    assert headers["authorization"].startswith(f"ACS3-HMAC-SHA256 Credential={KEYS.access_key_id},")
    assert (it.slept, it.refreshes) == ([], [False])


def test_a_call_without_parameters_has_no_query() -> None:
    it = stage(OK)
    it.run_flow(exchange(it.config, call("GetVirusScanLatestTaskStatistic", Nothing=None)))
    assert it.sent[0].url == f"https://{HOST}/"


def test_the_keys_are_asked_for_before_every_attempt() -> None:
    it = stage(BROKEN, BROKEN, OK)
    it.run_flow(exchange(it.config, READ))
    assert it.refreshes == [False, False, False]


def test_without_keys_nothing_is_sent() -> None:
    flow = exchange(stage().config, READ)
    assert next(flow) == Authenticate(refused=None)
    with pytest.raises(AuthenticationError, match="no keys"):
        flow.send(AuthenticationError("no keys"))


@pytest.mark.parametrize("call", [READ, START])
def test_keys_that_cannot_be_fetched_now_are_asked_for_again(call: Call) -> None:
    flow = exchange(stage().config, call)
    next(flow)
    assert isinstance(flow.send(UnreachableError("no keys")), Sleep)
    assert next(flow) == Authenticate()
    assert isinstance(flow.send(KEYS), Send)


@pytest.mark.parametrize("call", [READ, START])
def test_keys_are_asked_for_only_so_often_and_a_write_is_not_in_doubt_for_it(call: Call) -> None:
    flow = exchange(stage().config, call)
    for _ in range(MAX_ATTEMPTS - 1):
        next(flow)
        flow.send(UnreachableError("no keys"))
    next(flow)
    with pytest.raises(UnreachableError, match="no keys"):
        flow.send(UnreachableError("no keys"))


def test_every_attempt_has_a_nonce_and_a_date_of_its_own() -> None:
    it = stage(BROKEN, BROKEN, OK)
    it.run_flow(exchange(it.config, READ))
    nonces = {signature_of(send).nonce for send in it.sent}
    assert len(nonces) == 3
    assert all(len(nonce) == 32 for nonce in nonces)
    assert dates(it) == ["2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "2026-01-02T03:04:08Z"]


# Again, and how soon


def test_a_read_is_repeated_with_a_bound_that_doubles_and_at_most_five_times_in_all() -> None:
    it = stage(*[BROKEN] * MAX_ATTEMPTS)
    with pytest.raises(ServiceError):
        it.run_flow(exchange(it.config, READ))
    assert MAX_ATTEMPTS == len(it.sent) == 5
    assert it.slept == [1, 2, 4, 8]


def test_the_back_off_draws_anything_up_to_its_bound() -> None:
    class Half(random.Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0
            return b / 2

    it = stage(BROKEN, BROKEN, OK, rng=Half())
    it.run_flow(exchange(it.config, READ))
    assert it.slept == [0.5, 1]


def test_no_back_off_is_longer_than_twenty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 9)
    it = stage(*[BROKEN] * 8, OK)
    it.run_flow(exchange(it.config, READ))
    assert it.slept == [1, 2, 4, 8, 16, 20, 20, 20]


@pytest.mark.parametrize("call_", [READ, START, CANCEL], ids=lambda known: known.operation.name)
def test_the_wait_that_the_service_asks_for_is_obeyed_in_milliseconds(call_: Any) -> None:
    it = stage(throttled(1500), throttled(40), OK)
    it.run_flow(exchange(it.config, call_))
    assert it.slept == [1.5, 0.04]


@pytest.mark.parametrize(("code", "status"), [("ServerError", 500), ("TaskRepeat", 400), ("Unheard.Of", 200)])
def test_the_wait_is_obeyed_whatever_the_code(code: str, status: int) -> None:
    it = stage(failure(code, status, x_acs_retry_after="3000"), OK)
    it.run_flow(exchange(it.config, READ))
    assert it.slept == [3]


@pytest.mark.parametrize("odd", ["0", "-5", "1.5", "soon", "", "١٥", "1e3", "9" * 5000, "Fri, 02 Jan 2026 03:04:05"])
def test_a_wait_that_is_no_positive_number_is_none(odd: str) -> None:
    it = stage(throttled(odd), OK)
    it.run_flow(exchange(it.config, READ))
    assert it.slept == [1]


def test_without_a_deadline_a_wait_of_two_minutes_is_the_longest() -> None:
    it = stage(throttled(int(LONGEST_RETRY_AFTER * 1000)), OK)
    it.run_flow(exchange(it.config, READ))
    assert it.slept == [LONGEST_RETRY_AFTER]


@pytest.mark.parametrize("milliseconds", [120_001, 99_999_999_999])
def test_without_a_deadline_a_longer_wait_is_the_callers_to_decide(milliseconds: int) -> None:
    it = stage(throttled(milliseconds))
    with pytest.raises(ThrottledError) as caught:
        it.run_flow(exchange(it.config, READ))
    assert caught.value.retry_after == milliseconds / 1000
    assert it.slept == []


@pytest.mark.parametrize("milliseconds", [120_001, 99_999_999_999])
def test_nor_does_the_next_call_sleep_through_it(milliseconds: int) -> None:
    """What one answer asks for must not put every later call of the process to sleep for years."""
    it = stage(throttled(milliseconds), OK)
    for _ in range(2):
        try:
            it.run_flow(exchange(it.config, READ))
        except SecurityCenterError:
            continue
    assert sum(it.slept) <= LONGEST_RETRY_AFTER


MakeError = Callable[[str], SecurityCenterError]


@pytest.mark.parametrize("make", [UnreachableError, NoAnswerError])
def test_an_error_of_the_line_gets_the_name_of_the_operation(make: MakeError) -> None:
    it = stage(*[make("down") for _ in range(5)])
    with pytest.raises(SecurityCenterError, match="down") as caught:
        it.run_flow(exchange(it.config, READ))
    assert caught.value.action == "GetOnceTaskResultInfo"


@pytest.mark.parametrize(
    "code", ["SignatureDoesNotMatch", "NoPermission", "ServerError", "Throttling", "Invalid.the-secret"]
)
def test_an_answer_that_repeats_the_request_gives_no_secret_away(code: str) -> None:
    keys = Credentials("LTAI-id", "the-secret", "CAIS+token/=")
    signature = "0123456789abcdef" * 4
    echo = f"string to sign: the-secret x-acs-security-token:CAIS+token/= Signature={signature}"
    page = f"https://api.aliyun.com/troubleshoot?q={quote(echo)}"
    detail = {"AuthAction": echo, "EncodedDiagnosticMessage": echo, echo: echo}
    payload = {"Code": code, "Message": echo, "RequestId": echo, "Recommend": page, "AccessDeniedDetail": detail}
    it = Stage(config(credentials=StaticCredentials(keys)), [answer(payload, 400)] * MAX_ATTEMPTS)
    with pytest.raises(SecurityCenterError) as caught:
        it.run_flow(exchange(it.config, READ))
    told = f"{caught.value!r} {caught.value} {caught.value.as_dict()} {caught.value.__context__!r}"
    assert caught.value.recommend
    assert "x-acs-security-token:***" in told
    for secret in ("the-secret", "CAIS", signature):
        assert secret not in told
