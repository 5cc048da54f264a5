from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_aegis.client import errors
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConflictError,
    DeadlineExceededError,
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
    from_dict,
)
from airflow_provider_aegis.client.protocol.redaction import is_vendor_page
from tests.fakes import patiently

PAGE = "https://api.aliyun.com/troubleshoot?q=NoPermission&product=Sas"
KNOWN: dict[str, Any] = {
    "action": "GetOnceTaskResultInfo",
    "code": "Some.Code",
    "http_status": 400,
    "request_id": "REQUEST-1",
    "recommend": PAGE,
}
EXTRAS: dict[type[SecurityCenterError], dict[str, Any]] = {
    PermissionDeniedError: {"ram_actions": ["yundun-aegis:X", "yundun-sas:X"], "detail": {"AuthAction": "sas:X"}},
    ThrottledError: {"retry_after": 1.5},
    ProtocolError: {"passing": True},
    OutcomeUnknownError: {"cause_class": "NoAnswerError"},
}
CLASSES = sorted(
    {
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, SecurityCenterError) and cls.__module__ == errors.__name__
    },
    key=lambda cls: cls.__name__,
)
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def make(cls: type[SecurityCenterError], message: str = "It failed.") -> SecurityCenterError:
    return cls(message, **KNOWN, **EXTRAS.get(cls, {}))


@each_class
def test_an_error_carries_what_the_service_said(cls: type[SecurityCenterError]) -> None:
    error = make(cls)
    assert error.message == "It failed."
    assert {name: getattr(error, name) for name in KNOWN} == KNOWN
    assert error.summary == "GetOnceTaskResultInfo: It failed. (Some.Code, HTTP 400, RequestId REQUEST-1)"
    assert error.summary in str(error)


@each_class
def test_the_text_begins_with_what_to_do_and_the_details_come_last(cls: type[SecurityCenterError]) -> None:
    error = make(cls)
    todo, summary, rest = str(error).partition(error.summary)
    assert summary
    assert cls is SecurityCenterError or todo.endswith(". ")
    assert len(cls.advice) <= 75  # a log view of 1,500 px shows 95 characters, the exception's name included
    assert "Error" not in todo
    assert rest == (f" Diagnosis: {PAGE}" if cls is PermissionDeniedError else "")


@each_class
def test_an_error_needs_nothing_but_a_message(cls: type[SecurityCenterError]) -> None:
    assert str(cls("It failed.")).endswith("It failed.")


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({}, "It failed."),
        ({"action": "A"}, "A: It failed."),
        ({"code": "C"}, "It failed. (C)"),
        ({"http_status": 502}, "It failed. (HTTP 502)"),
        ({"action": "A", "http_status": 502}, "A: It failed. (HTTP 502)"),
        ({"action": "A", "code": "C", "request_id": "R"}, "A: It failed. (C, RequestId R)"),
    ],
    ids=str,
)
def test_an_error_says_no_more_than_it_knows(known: dict[str, Any], text: str) -> None:
    assert str(SecurityCenterError("It failed.", **known)) == text


@each_class
def test_an_error_survives_as_plain_json(cls: type[SecurityCenterError]) -> None:
    error = make(cls)
    again = from_dict(json.loads(json.dumps(error.as_dict())))
    assert type(again) is cls
    assert isinstance(again, SecurityCenterError)
    assert (again.as_dict(), str(again), again.transient) == (error.as_dict(), str(error), error.transient)


@each_class
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_survives_pickling_and_copying(cls: type[SecurityCenterError], again: Any) -> None:
    error = make(cls)
    assert type(again(error)) is cls
    assert again(error).as_dict() == error.as_dict()


@patiently
@given(message=st.text(st.characters(), max_size=1200), code=st.text(max_size=40))
@example(message="\n" * 500, code="\n" * 500)
def test_whatever_the_service_said_survives_as_plain_json(message: str, code: str) -> None:
    error = SecurityCenterError(message, code=code, request_id=code)
    assert from_dict(error.as_dict()).as_dict() == error.as_dict()


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"error_class": "NoSuchError", "message": "m"},
        {"error_class": "dict", "message": "m"},
        {"error_class": "ServiceError"},
        {"error_class": "ServiceError", "message": "m", "unheard_of": 1},
        {"error_class": ["ServiceError"], "message": "m"},
    ],
    ids=str,
)
def test_what_is_no_error_is_refused(known: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="error"):
        from_dict(known)


@each_class
def test_the_text_is_one_printable_line_of_bounded_length(cls: type[SecurityCenterError]) -> None:
    odd = "\x1b[31mone\ntwo\r\x00" + "x" * 1_000_000
    extras: dict[str, Any] = {}
    if cls is PermissionDeniedError:
        extras = {"detail": {"AuthAction": odd, "AuthPrincipalDisplayName": odd}}
    error = cls(odd, code=odd, request_id=odd, recommend=f"{PAGE}{'x' * 1_000_000}", **extras)
    assert str(error).isprintable()
    assert "\\x1b[31mone\\ntwo\\r\\x00" in str(error)
    assert len(str(error)) < 4000


def test_a_repr_is_no_longer_than_the_text_and_shows_no_address_that_was_turned_down() -> None:
    error = SecurityCenterError("x" * 1_000_000, recommend="https://evil.example/")
    assert "evil.example" not in repr(error)
    assert len(repr(error)) < 4000


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (PAGE, True),
        ("https://api.alibabacloud.com/troubleshoot?intl_lang=EN_US", True),
        ("https://aliyun.com", True),
        ("", False),
        ("http://api.aliyun.com/", False),
        ("javascript:alert(1)//api.aliyun.com", False),
        ("//api.aliyun.com/", False),
        ("https://evil.example/api.aliyun.com", False),
        ("https://api.aliyun.com.evil.example/", False),
        ("https://notaliyun.com/", False),
        ("https://user@api.aliyun.com/", False),
        ("https://api.aliyun.com@evil.example/", False),
        ("https://api.aliyun.com:8443/", False),
        ("https://api.aliyun.com:99999/", False),
        ("https://api.aliyun.com:port/", False),
        ("https://[api.aliyun.com/", False),
        ("https://evil.example\\.aliyun.com/", False),
        ("https://evil.example%2f.aliyun.com/", False),
        ("https://evil.example .aliyun.com/", False),
        ("https://api.aliyun.com/\n", False),
        ("https://api.aliyun.com/\x1b[31m", False),
        ("https://api.aliyun.com/\u202e", False),
    ],
)
def test_only_pages_of_the_vendor_are_recommended(address: str, kept: bool) -> None:
    assert is_vendor_page(address) is kept
    assert SecurityCenterError("m", recommend=address).recommend == (address if kept else "")


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        pytest.param({}, "Grant the missing permission in RAM. It failed.", id="nothing known"),
        pytest.param({"ram_actions": ("a:X", "s:X")}, "Grant a:X and s:X in RAM. It failed.", id="both prefixes"),
        pytest.param(
            {"ram_actions": ("a:X",), "detail": {"AuthAction": "sas:X", "AuthPrincipalDisplayName": "robot"}},
            "Grant sas:X and a:X to robot in RAM. It failed.",
            id="what the service named comes first",
        ),
        pytest.param(
            {"ram_actions": ("a:X", "s:X"), "detail": {"AuthAction": "s:X"}},
            "Grant s:X and a:X in RAM. It failed.",
            id="once each",
        ),
        pytest.param(
            {"ram_actions": ("a:X",), "recommend": PAGE},
            f"Grant a:X in RAM. It failed. Diagnosis: {PAGE}",
            id="diagnosis",
        ),
        pytest.param(
            {"detail": {"AuthPrincipalDisplayName": "robot"}},
            "Grant the missing permission to robot in RAM. It failed.",
            id="to whom",
        ),
    ],
)
def test_a_missing_permission_says_what_to_grant_and_to_whom(extra: dict[str, Any], text: str) -> None:
    error = PermissionDeniedError("It failed.", **extra)
    assert str(error) == text
    assert error.auth_action == extra.get("detail", {}).get("AuthAction", "")


@pytest.mark.parametrize(
    ("cls", "transient", "refused"),
    [
        (AuthenticationError, False, True),
        (ExpiredTokenError, False, True),
        (ClockError, False, True),
        (PermissionDeniedError, False, True),
        (ThrottledError, True, True),
        (ConflictError, False, True),
        (InvalidRequestError, False, True),
        (NonceUsedError, True, False),
        (ServiceError, True, False),
        (ProtocolError, False, False),
        (UnreachableError, True, True),
        (NoAnswerError, True, False),
        (UntrustedEndpointError, False, True),
        (OutcomeUnknownError, False, False),
    ],
)
def test_whether_it_may_pass_and_whether_anything_can_have_been_done(
    cls: type[SecurityCenterError], transient: bool, refused: bool
) -> None:
    assert (cls("m").transient, cls.refused) == (transient, refused)


def test_a_protocol_error_passes_when_it_says_so_and_a_deadline_can_be_tried_again() -> None:
    assert ProtocolError("m", passing=True).transient
    assert DeadlineExceededError("m").transient


def test_what_the_service_says_of_a_refusal_is_kept_whole_and_bounded() -> None:
    message = "AQEA" * 500  # to be decoded by its owner
    error = PermissionDeniedError("No.", detail={"EncodedDiagnosticMessage": message, "a\nb": "c\nd"})
    assert error.detail == {"EncodedDiagnosticMessage": message, "a\\nb": "c\\nd"}
    assert message not in str(error)
    endless = PermissionDeniedError("No.", detail={str(number): "x" * 100_000 for number in range(1000)})
    assert len(repr(endless.as_dict())) < 200_000
