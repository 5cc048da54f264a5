from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.emulator import Fault
from airflow_provider_aegis.emulator.http import Request
from tests.unit.emulator.support import KEY_ID, KIND, SECRET, Caller, make_caller, with_header


def test_an_unknown_action_is_not_found(caller: Caller) -> None:
    answered = caller.ask("DescribeNothing")
    assert (answered.status, answered.code) == (404, "InvalidAction.NotFound")


def test_another_version_or_method_is_not_found(caller: Caller) -> None:
    for request in (
        caller.request("DescribeOnceTask", version="2000-01-01", TaskType="X"),
        caller.request("DescribeOnceTask", method="PUT", TaskType="X"),
    ):
        assert caller.judge(request).code == "InvalidAction.NotFound"


def test_get_is_as_good_as_post(caller: Caller) -> None:
    assert caller.judge(caller.request("DescribeOnceTask", method="GET", TaskType="X")).status == 200


def test_an_action_can_be_denied() -> None:
    caller = make_caller(denied=("CancelOnceTask",))
    answered = caller.ask("CancelOnceTask", TaskId="x")
    assert (answered.status, answered.code) == (403, "NoPermission")
    assert answered.payload["AccessDeniedDetail"]["AuthAction"] == "yundun-aegis:CancelOnceTask"
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200
    caller.account.set(denied=["*"])
    assert caller.ask("DescribeOnceTask", TaskType="X").code == "NoPermission"


def test_each_action_may_be_asked_for_ten_times_a_second(caller: Caller) -> None:
    def ask(action: str = "DescribeOnceTask") -> str:
        return caller.ask(action, TaskType="X", TaskName="X").code

    assert [ask() for _ in range(11)] == [""] * 10 + ["Throttling.User"]
    assert ask("GetLastOnceTaskInfo") == ""
    caller.clock.advance(1)
    assert ask() == ""


def test_a_throttled_answer_says_how_many_milliseconds_to_wait() -> None:
    caller = make_caller(requests_per_second=2)
    caller.ask("DescribeOnceTask", TaskType="X")
    caller.clock.advance(0.25)
    caller.ask("DescribeOnceTask", TaskType="X")
    caller.clock.advance(0.25)
    refused = caller.ask("DescribeOnceTask", TaskType="X")
    assert (refused.status, refused.code) == (400, "Throttling.User")
    wait = int(refused.headers["x-acs-retry-after"])
    assert wait == pytest.approx(501, abs=1)
    caller.clock.advance(wait / 1000)
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200


def test_the_ceiling_can_be_taken_away() -> None:
    caller = make_caller(requests_per_second=0)
    assert {caller.ask("DescribeOnceTask", TaskType="X").status for _ in range(50)} == {200}


def test_what_is_refused_does_not_count_towards_the_ceiling() -> None:
    caller = make_caller(requests_per_second=1)
    caller.credentials = Credentials(KEY_ID, "wrong")
    assert caller.ask("DescribeOnceTask", TaskType="X").code == "SignatureDoesNotMatch"
    caller.credentials = Credentials(KEY_ID, SECRET)
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200


def test_errors_can_come_with_http_200() -> None:
    caller = make_caller(errors_as_200=True)
    answered = caller.ask("DescribeNothing")
    assert (answered.status, answered.code) == (200, "InvalidAction.NotFound")


def test_oddities_are_applied_to_answers() -> None:
    caller = make_caller(task_info="null", counts_as_text=True)
    payload = caller.result(caller.start())
    assert (payload["TaskInfo"], payload["TotalCount"]) == (None, "44")


def test_every_answer_is_dated_with_the_services_clock(caller: Caller) -> None:
    for skew in (0.0, 3600.0, -7200.0):
        caller.account.set(clock_skew=skew)
        dated = parsedate_to_datetime(caller.ask("DescribeOnceTask", TaskType="X").headers["Date"])
        assert dated.timestamp() == pytest.approx(caller.clock.time() + skew, abs=1)


def test_the_window_for_dates_moves_with_the_skew(caller: Caller) -> None:
    caller.account.set(clock_skew=3600.0)
    assert caller.ask("DescribeOnceTask", TaskType="X").code == "InvalidTimeStamp.Expired"
    caller.account.set(clock_skew=600.0)
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200


def test_a_fault_comes_in_place_of_the_answer_and_nothing_happens(caller: Caller) -> None:
    caller.inject("GenerateOnceTask", Fault.error("ServerError"))
    assert caller.ask("GenerateOnceTask", Param="{}", **KIND).code == "ServerError"
    assert caller.account.state()["started"] == []
    caller.start()


@pytest.mark.parametrize("fault", [Fault.error("ServerError", after=True), Fault.reset(after=True)])
def test_a_fault_afterwards_loses_the_answer_to_what_took_effect(caller: Caller, fault: Fault) -> None:
    caller.inject("GenerateOnceTask", fault)
    reply = caller.send(caller.request("GenerateOnceTask", Param="{}", **KIND))
    assert (reply.code, reply.hangup) in [("ServerError", ""), ("", "reset")]
    assert len(caller.account.state()["started"]) == 1


def test_a_fault_before_uses_no_nonce_up(caller: Caller) -> None:
    request = caller.request("DescribeOnceTask", TaskType="X")
    caller.inject("*", Fault.error("ServiceUnavailable"))
    assert caller.judge(request).code == "ServiceUnavailable"
    assert caller.judge(request).status == 200
    assert caller.judge(request).code == "SignatureNonceUsed"


def test_a_fault_without_limits_hits_one_request(caller: Caller) -> None:
    caller.inject("*", Fault.error("ServerError"))
    assert [caller.ask("DescribeOnceTask", TaskType="X").code for _ in range(2)] == ["ServerError", ""]


def test_a_fault_lasts_for_a_time(caller: Caller) -> None:
    caller.inject("*", Fault.error("ServiceUnavailable"), seconds=30)
    codes = []
    for _ in range(4):
        codes.append(caller.ask("DescribeOnceTask", TaskType="X").code)
        caller.clock.advance(10)
    assert codes == ["ServiceUnavailable"] * 3 + [""]


def test_half_of_the_answers_can_be_throttled(caller: Caller) -> None:
    caller.inject("DescribeOnceTask", Fault.throttled(retry_after=1), seconds=60, probability=0.5)
    codes = []
    for _ in range(50):
        codes.append(caller.ask("DescribeOnceTask", TaskType="X").code)
        caller.clock.advance(1)
    assert set(codes) == {"", "Throttling.User"}
    assert 10 < codes.count("Throttling.User") < 40


def test_healing_drops_faults(caller: Caller) -> None:
    caller.inject("*", Fault.reset(), times=100)
    caller.account.heal()
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200


def test_every_request_is_counted_and_logged_with_its_answer(caller: Caller) -> None:
    caller.ask("DescribeOnceTask", TaskType="X")
    caller.clock.advance(2)
    caller.ask("DescribeNothing")
    caller.inject("*", Fault.reset())
    caller.send(caller.request("DescribeOnceTask"))
    caller.send(Request(method="GET"))
    assert caller.account.state()["requests"] == {"DescribeOnceTask": 2, "DescribeNothing": 1, "": 1}
    log = caller.account.log()
    assert [(line["action"], line["status"], line["code"]) for line in log] == [
        ("DescribeOnceTask", 200, ""),
        ("DescribeNothing", 404, "InvalidAction.NotFound"),
        ("DescribeOnceTask", 0, ""),
        ("", 400, "IncompleteSignature"),
    ]
    assert log[0]["params"] == {"TaskType": "X"}
    assert log[1]["arrived"] - log[0]["arrived"] == 2
    assert [line["access_key_id"] for line in log] == [KEY_ID, KEY_ID, KEY_ID, ""]


def test_a_request_that_waits_has_no_status_yet(caller: Caller) -> None:
    caller.account.arrive(caller.request("DescribeOnceTask"))
    assert caller.account.log()[0]["status"] is None


def test_keys_are_revoked_restored_and_added(caller: Caller) -> None:
    caller.account.revoke(KEY_ID)
    assert caller.ask("DescribeOnceTask", TaskType="X").code == "InvalidAccessKeyId.Inactive"
    caller.account.restore(KEY_ID)
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200
    caller.account.add_key("temporary", "s", token="t", seconds=5)
    caller.credentials = Credentials("temporary", "s", "t")
    assert caller.ask("DescribeOnceTask", TaskType="X").status == 200
    caller.clock.advance(5)
    assert caller.ask("DescribeOnceTask", TaskType="X").code == "InvalidSecurityToken.Expired"


def test_the_state_names_keys_and_tells_no_secret(caller: Caller) -> None:
    caller.account.add_key("temporary", "second-secret", token="its-token")
    state = caller.account.state()
    assert state["keys"] == [KEY_ID, "temporary"]
    assert all(secret not in str(state) for secret in (SECRET, "second-secret", "its-token"))


def test_the_state_follows_tasks(caller: Caller) -> None:
    first = caller.start()
    caller.clock.advance(10)
    second = caller.start()
    state = caller.account.state()
    assert (state["started"], state["running"]) == ([first, second], [second])
    assert [task["task_id"] for task in state["tasks"]] == [second, first]
    caller.account.finish(second, "FAIL")
    assert caller.account.state()["running"] == []
    assert caller.result(second)["TaskInfo"] == {"Status": "FAIL"}


def test_resetting_begins_anew(caller: Caller) -> None:
    caller.start()
    caller.account.set(seconds=99.0)
    caller.account.add_key("second", "s")
    caller.account.revoke(KEY_ID)
    caller.inject("*", Fault.reset(), times=5)
    caller.account.reset()
    state = caller.account.state()
    assert (state["requests"], state["tasks"], state["started"], state["keys"]) == ({}, [], [], [KEY_ID])
    assert state["settings"]["seconds"] == 10
    assert caller.account.log() == []
    caller.start()


def test_a_header_that_is_not_signed_changes_nothing(caller: Caller) -> None:
    request = with_header(caller.request("DescribeOnceTask", TaskType="X"), "x-forwarded-for", "10.0.0.1")
    assert caller.judge(request).status == 200
