"""What every kind of answer means, for a read, for a start and for a cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConflictError,
    ExpiredTokenError,
    InvalidRequestError,
    NoAnswerError,
    NonceUsedError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProtocolError,
    SecurityCenterError,
    ServiceError,
    ThrottledError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.flows.exchange import MAX_ATTEMPTS, exchange
from airflow_provider_aegis.client.protocol.operations import Call, call
from airflow_provider_aegis.client.protocol.responses import Response, read_response
from tests.fakes import CANCEL, OK, READ, START, answer, failure, stage

Reply = Response | SecurityCenterError
TWICE = 2  # once more, after what was wrong has been put right
DATE = {"date": "Fri, 02 Jan 2026 04:04:05 GMT"}
HTML = "<html><body>502 Bad Gateway</body></html>"


@dataclass(frozen=True)
class Row:
    """A line of the table: what comes back every time, how often it is asked for, and what is raised in the end.

    :param opens: whether it leaves open if a write was carried out.
    """

    name: str
    reply: Reply
    raises: type[SecurityCenterError]
    attempts: int = 1
    opens: bool = False


def rows(codes: str, status: int, *known: Any, **headers: str) -> list[Row]:
    return [Row(f"{code} {status}", failure(code, status, **headers), *known) for code in codes.split()]


TABLE = [
    *rows("Throttling Throttling.User Throttling.Api RequestTooFrequently", 400, ThrottledError, MAX_ATTEMPTS),
    *rows("Throttling Throttling.User", 200, ThrottledError, MAX_ATTEMPTS),
    *rows("Throttling", 503, ThrottledError, MAX_ATTEMPTS, x_acs_retry_after="1"),
    *rows("Unheard.Of", 429, ThrottledError, MAX_ATTEMPTS),
    *rows("Unheard.Of TaskRepeat", 400, ThrottledError, MAX_ATTEMPTS, x_acs_retry_after="1"),
    *rows("NoPermission Forbidden.RAM", 403, PermissionDeniedError, x_acs_retry_after="1"),
    *rows("SignatureDoesNotMatch InvalidSecurityToken.Malformed", 400, AuthenticationError, x_acs_retry_after="1"),
    *rows("MissingParameter NotBuy", 400, InvalidRequestError, x_acs_retry_after="1"),
    Row("OperateCode", answer({"OperateCode": "Throttling"}), ThrottledError, MAX_ATTEMPTS),
    *rows("ServerError InternalError SystemBusy RpcServiceError Unheard.Of", 500, ServiceError, MAX_ATTEMPTS, True),
    *rows("ServiceUnavailable ServerError Unheard.Of", 503, ServiceError, MAX_ATTEMPTS, True),
    *rows("InternalError RpcServiceError ServiceUnavailable", 400, ServiceError, MAX_ATTEMPTS, True),
    *rows("InternalError.Timeout InternalError.Any.Thing", 400, ServiceError, MAX_ATTEMPTS, True),
    *rows("InternalError.Timeout", 200, ServiceError, MAX_ATTEMPTS, True),
    Row("Success: false", answer({"Success": False}), InvalidRequestError),
    Row("Success: false, 500", answer({"Success": False, "HttpStatusCode": 500}), ServiceError, MAX_ATTEMPTS, True),
    Row("Success: false, throttled", answer({"Success": False, "Code": "Throttling"}), ThrottledError, MAX_ATTEMPTS),
    *rows("ServerError SystemBusy", 200, ServiceError, MAX_ATTEMPTS, True),
    Row("HTML 502", answer(HTML, 502), ProtocolError, MAX_ATTEMPTS, True),
    Row("HTML 200", answer(HTML, 200), ProtocolError, MAX_ATTEMPTS, True),
    Row("HTML 403", answer(HTML, 403), ProtocolError, 1, True),
    Row("a time-out of a proxy", answer(HTML, 408), ProtocolError, MAX_ATTEMPTS, True),
    Row("a redirect", answer({}, 302, location="https://evil.example/"), ProtocolError, 1, True),
    Row("reset or time-out", NoAnswerError("reset"), NoAnswerError, MAX_ATTEMPTS, True),
    Row("no connection", UnreachableError("refused"), UnreachableError, MAX_ATTEMPTS),
    Row("a false certificate", UntrustedEndpointError("self-signed"), UntrustedEndpointError),
    *rows("SignatureNonceUsed", 400, NonceUsedError, MAX_ATTEMPTS, True),
    *rows("InvalidTimeStamp.Expired IllegalTimestamp", 400, ClockError, TWICE, **DATE),
    *rows("InvalidTimeStamp.Expired", 400, ClockError),
    *rows("InvalidSecurityToken.Expired", 400, ExpiredTokenError, TWICE),
    *rows("InvalidAccessKeyId.NotFound", 404, AuthenticationError),
    *rows("InvalidAccessKeyId.Inactive InvalidSecurityToken.Malformed", 400, AuthenticationError),
    *rows("SignatureDoesNotMatch IncompleteSignature", 400, AuthenticationError),
    *rows("SignatureDoesNotMatch InvalidAccessKeyId.Inactive", 403, AuthenticationError),
    *rows("NoPermission Forbidden.RAM RdCheckNoPermission Unheard.Of", 403, PermissionDeniedError),
    *rows("NoPermission Forbidden.RAM RdCheckNoPermission", 400, PermissionDeniedError),
    *rows("NoPermission", 200, PermissionDeniedError),
    *rows("TaskRepeat AssetsCollectionFrequencyLimit DuplicatedRefresh", 400, ConflictError),
    *rows("FreeVersionNotPermit NotBuy NeedBuy BeyondQuata AgentNotOnline ClientOffline", 400, InvalidRequestError),
    *rows("FreeVersionNotPermit NotBuy NeedBuy BeyondQuata AgentNotOnline ClientOffline", 403, InvalidRequestError),
    *rows("-101 MissingParameter InvalidParameter", 403, InvalidRequestError),
    *rows("-101 MissingParameter MissingTaskType InvalidParameter InvalidTimeStamp.Format", 400, InvalidRequestError),
    *rows("InvalidApi.NotFound InvalidAction.NotFound Unheard.Of", 404, InvalidRequestError),
    *rows("Unheard.Of -101 MissingParameter", 200, InvalidRequestError),
]
each_row = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


@each_row
@pytest.mark.parametrize("repeatable", [READ, CANCEL], ids=["read", "cancellation"])
def test_a_read_and_a_cancellation(row: Row, repeatable: Call) -> None:
    it = stage(*[row.reply] * MAX_ATTEMPTS)
    with pytest.raises(SecurityCenterError) as caught:
        it.run_flow(exchange(it.config, repeatable))
    assert (type(caught.value), len(it.sent)) == (row.raises, row.attempts)


@each_row
@pytest.mark.parametrize(
    "write",
    [START, call("CreateVirusScanOnceTask"), call("ModifyStartVulScan")],
    ids=lambda write: write.operation.name,
)
def test_a_write_is_not_sent_again_once_it_may_have_arrived(row: Row, write: Call) -> None:
    it = stage(*[row.reply] * MAX_ATTEMPTS)
    with pytest.raises(SecurityCenterError) as caught:
        it.run_flow(exchange(it.config, write))
    expected = (OutcomeUnknownError, 1) if row.opens else (row.raises, row.attempts)
    assert (type(caught.value), len(it.sent)) == expected


@pytest.mark.parametrize("row", [row for row in TABLE if row.attempts > 1], ids=lambda row: row.name)
def test_what_passes_ends_in_the_answer(row: Row) -> None:
    it = stage(row.reply, OK)
    assert it.run_flow(exchange(it.config, READ)) == {"RequestId": "R"}


@pytest.mark.parametrize("row", [row for row in TABLE if row.attempts > 1 and not row.opens], ids=lambda row: row.name)
@pytest.mark.parametrize("last", [row for row in TABLE if row.opens][:3], ids=lambda row: row.name)
def test_a_start_that_was_refused_first_is_not_sent_again_after_an_open_question(row: Row, last: Row) -> None:
    it = stage(row.reply, last.reply, OK)
    with pytest.raises(OutcomeUnknownError):
        it.run_flow(exchange(it.config, START))
    assert len(it.sent) == 2


def test_an_open_question_says_why_it_is_one() -> None:
    it = stage(failure("ServerError", 500, "Something broke."))
    with pytest.raises(OutcomeUnknownError, match="not sent again: Something broke") as caught:
        it.run_flow(exchange(it.config, START))
    error = caught.value
    assert (error.action, error.code, error.http_status) == ("GenerateOnceTask", "ServerError", 500)
    assert (error.request_id, error.cause_class) == ("REQUEST-1", "ServiceError")
    assert isinstance(error.__cause__, ServiceError)


# What an answer says


@pytest.mark.parametrize(
    "payload",
    [
        {"RequestId": "R", "TaskInfo": {"Status": "INIT", "Unknown": [1, None, "é"]}, "TotalCount": 2**63},
        {"Code": "200", "Data": 1},
        {"Code": 200},
        {"code": "Success", "RequestId": "R"},
        {"Code": "", "HostId": ""},
        {"Code": None},
        {"OperateCode": "Success"},
        {"Message": "a message alone"},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("headers", [{}, {"x_acs_retry_after": "5"}], ids=str)
def test_a_good_answer_is_returned_unchanged(payload: dict[str, Any], headers: dict[str, str]) -> None:
    assert read_response(answer(payload, **headers), READ) == payload


@pytest.mark.parametrize(("envelope", "is_error"), [({}, False), ({"HostId": "h"}, True), ({"hostId": "h"}, True)])
def test_an_unheard_code_on_200_is_an_error_in_the_envelope_of_errors_alone(
    envelope: dict[str, str], is_error: bool
) -> None:
    """Some operations answer a word of their own in Code when all is well."""
    payload = {"Code": "Unheard.Of", "RequestId": "R", **envelope}
    if not is_error:
        assert read_response(answer(payload), READ) == payload
        return
    with pytest.raises(InvalidRequestError):
        read_response(answer(payload), READ)


@pytest.mark.parametrize("word", [False, "false", "False", " FALSE "], ids=repr)
@pytest.mark.parametrize("name", ["Success", "success"])
@pytest.mark.parametrize(
    ("more", "raises", "code", "message"),
    [
        ({}, InvalidRequestError, "", "the answer has no message, which says Success: false"),
        ({"Code": "200", "HttpStatusCode": 200}, InvalidRequestError, "", "the answer has no message, which"),
        ({"Code": "GroupNotFound", "Message": "No."}, InvalidRequestError, "GroupNotFound", "No."),
        ({"Code": "TaskRepeat", "HttpStatusCode": 500}, ConflictError, "TaskRepeat", "no message"),
        ({"Code": "Odd", "HttpStatusCode": "503", "Message": "Busy"}, ServiceError, "Odd", "Busy"),
        ({"Code": "Odd", "HttpStatusCode": "5xx"}, InvalidRequestError, "Odd", "no message"),
        ({"Code": "NoPermission", "HttpStatusCode": 403}, PermissionDeniedError, "NoPermission", "no message"),
    ],
    ids=str,
)
def test_a_good_status_with_success_false_is_an_error(
    word: object, name: str, more: dict[str, Any], raises: type[SecurityCenterError], code: str, message: str
) -> None:
    with pytest.raises(SecurityCenterError, match=message) as caught:
        read_response(answer({name: word, "RequestId": "R-1", "Data": 1, **more}), READ)
    error = caught.value
    assert (type(error), error.code, error.http_status, error.request_id) == (raises, code, 200, "R-1")


@pytest.mark.parametrize("word", [True, "true", "", None, 0, 1, [], {"Success": False}, "no"], ids=repr)
def test_any_other_success_is_none_to_doubt(word: object) -> None:
    payload = {"Success": word, "Data": {"Success": False}, "HttpStatusCode": 500}
    assert read_response(answer(payload), READ) == payload


NAMES = {
    "RequestId": "R-1",
    "HostId": "h",
    "Code": "NoPermission",
    "Message": "No.",
    "Recommend": "https://aliyun.com/x",
}
DETAIL = {"AuthAction": "yundun-sas:GetOnceTaskResultInfo", "AuthPrincipalDisplayName": "robot", "PolicyType": "x\ny"}


@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize("spell", [str, lambda name: name[0].lower() + name[1:]], ids=["upper", "lower"])
def test_an_error_carries_everything_that_the_envelope_says(status: int, spell: Any) -> None:
    envelope: dict[str, Any] = {spell(name): value for name, value in (NAMES | {"AccessDeniedDetail": DETAIL}).items()}
    with pytest.raises(PermissionDeniedError) as caught:
        read_response(answer(envelope, status), READ)
    error = caught.value
    assert (error.action, error.code, error.http_status) == ("GetOnceTaskResultInfo", "NoPermission", status)
    assert (error.request_id, error.message, error.recommend) == ("R-1", "No.", "https://aliyun.com/x")
    assert error.ram_actions == ["yundun-aegis:GetOnceTaskResultInfo", "yundun-sas:GetOnceTaskResultInfo"]
    assert error.detail == DETAIL | {"PolicyType": "x\\ny"}
    assert all(part in str(error) for part in (*error.ram_actions, "robot"))


@pytest.mark.parametrize("detail", [None, "text", ["list"], {}], ids=str)
def test_an_odd_detail_of_a_missing_permission_is_left_out(detail: object) -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        read_response(answer({"Code": "NoPermission", "AccessDeniedDetail": detail}, 403), READ)
    assert caught.value.detail == {}
    assert "yundun-sas:GetOnceTaskResultInfo" in str(caught.value)


@pytest.mark.parametrize("odd", [None, {}, [], True, 1.5], ids=str)
def test_an_envelope_of_odd_types_is_an_error_all_the_same(odd: object) -> None:
    envelope = dict.fromkeys(("RequestId", "HostId", "Code", "Message", "Recommend"), odd)
    with pytest.raises(InvalidRequestError, match="the answer has no message") as caught:
        read_response(answer(envelope, 400), READ)
    assert caught.value.code == ""


def test_the_request_id_of_the_header_stands_in_for_a_missing_one() -> None:
    with pytest.raises(ServiceError) as caught:
        read_response(answer({"Code": "ServerError"}, 500, x_acs_request_id="H-1"), READ)
    assert caught.value.request_id == "H-1"


@pytest.mark.parametrize("payload", [{"Code": "Throttling"}, {"Code": "Unheard.Of"}, {}], ids=str)
def test_the_wait_that_was_asked_for_is_in_the_error(payload: dict[str, str]) -> None:
    with pytest.raises(ThrottledError) as caught:
        read_response(answer(payload, 503, x_acs_retry_after="1500"), READ)
    assert caught.value.retry_after == 1.5


def test_an_answer_does_not_show_its_body() -> None:
    assert "SUCCESS" not in repr(answer({"Status": "SUCCESS"}))


def test_a_failure_that_asks_to_wait_is_a_wait_and_leaves_a_write_in_doubt() -> None:
    it = stage(failure("ServerError", 503, "Busy.", x_acs_retry_after="40"), OK)
    it.run_flow(exchange(it.config, READ))
    assert it.slept == [0.04]
    it = stage(failure("ServerError", 503, "Busy.", x_acs_retry_after="40"), OK)
    with pytest.raises(OutcomeUnknownError):
        it.run_flow(exchange(it.config, START))
    assert len(it.sent) == 1


@pytest.mark.parametrize("status", [408, 425])
def test_a_time_out_with_a_code_leaves_it_open_whether_a_write_was_carried_out(status: int) -> None:
    with pytest.raises(ServiceError) as caught:
        read_response(answer({"Code": "RequestTimeout"}, status), START)
    assert caught.value.transient
    assert not caught.value.refused
