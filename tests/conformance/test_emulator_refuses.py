"""The emulator is a judge of signatures in many other tests, so what it must refuse is tried here over the wire."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from airflow_provider_aegis.client.protocol.signing import sha256_hex
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.emulator.http import Request
from tests.unit.emulator.support import date_of, send, sign_for, with_header, without

START = {"TaskType": "VUL_CHECK_TASK", "TaskName": "VUL_CHECK_TASK", "Param": '{"a": "b c"}'}


@pytest.fixture(scope="module")
def sas() -> Iterator[Emulator]:
    with Emulator(requests_per_second=0, repeat_check="off", running_limit=1000) as emulator:
        yield emulator


def signed(sas: Emulator) -> Request:
    return sign_for(sas, "GenerateOnceTask", **START)


def unsigned(request: Request, name: str) -> Request:
    """The header is still sent, and no longer named among the signed ones."""
    header = request.headers["authorization"]
    assert f"{name};" in header
    return with_header(request, "authorization", header.replace(f"{name};", ""))


REFUSED: dict[str, tuple[Callable[[Emulator], Request], int, str]] = {
    "a wrong secret": (
        lambda sas: sign_for(sas, "GenerateOnceTask", secret="wrong", **START),
        400,
        "SignatureDoesNotMatch",
    ),
    "a changed value": (
        lambda sas: replace(signed(sas), query=signed(sas).query.replace("VUL_CHECK_TASK", "IMAGE_SCAN")),
        400,
        "SignatureDoesNotMatch",
    ),
    "an added parameter": (
        lambda sas: replace(signed(sas), query=f"{signed(sas).query}&Source=x"),
        400,
        "SignatureDoesNotMatch",
    ),
    "a parameter given twice": (
        lambda sas: replace(signed(sas), query=f"TaskType=IMAGE_SCAN&{signed(sas).query}"),
        400,
        "SignatureDoesNotMatch",
    ),
    "a parameter left out": (
        lambda sas: replace(signed(sas), query=signed(sas).query.partition("&")[2]),
        400,
        "SignatureDoesNotMatch",
    ),
    "an added body": (lambda sas: replace(signed(sas), body=b"Param=x"), 400, "SignatureDoesNotMatch"),
    "an added body with its hash": (
        lambda sas: with_header(replace(signed(sas), body=b"x"), "x-acs-content-sha256", sha256_hex(b"x")),
        400,
        "SignatureDoesNotMatch",
    ),
    "another method": (lambda sas: replace(signed(sas), method="GET"), 400, "SignatureDoesNotMatch"),
    "another action": (
        lambda sas: with_header(signed(sas), "x-acs-action", "CancelOnceTask"),
        400,
        "SignatureDoesNotMatch",
    ),
    "another host": (
        lambda sas: with_header(signed(sas), "host", "tds.cn-shanghai.aliyuncs.com"),
        400,
        "SignatureDoesNotMatch",
    ),
    "another date within the window": (
        lambda sas: with_header(signed(sas), "x-acs-date", date_of(time.time() + 60)),
        400,
        "SignatureDoesNotMatch",
    ),
    "a stale date": (
        lambda sas: with_header(signed(sas), "x-acs-date", date_of(time.time() - 1000)),
        400,
        "InvalidTimeStamp.Expired",
    ),
    "a date to come": (
        lambda sas: with_header(signed(sas), "x-acs-date", date_of(time.time() + 1000)),
        400,
        "InvalidTimeStamp.Expired",
    ),
    "a date of another form": (
        lambda sas: with_header(signed(sas), "x-acs-date", "Thu, 06 Feb 2020 07:32:54 GMT"),
        400,
        "InvalidTimeStamp.Format",
    ),
    "an action that is not signed": (lambda sas: unsigned(signed(sas), "x-acs-action"), 400, "IncompleteSignature"),
    "a nonce that is missing": (
        lambda sas: without(signed(sas), "x-acs-signature-nonce"),
        400,
        "IncompleteSignature",
    ),
    "a hash that is missing": (
        lambda sas: without(signed(sas), "x-acs-content-sha256"),
        400,
        "IncompleteSignature",
    ),
    "no signature": (lambda sas: without(signed(sas), "authorization"), 400, "IncompleteSignature"),
    "another signature": (
        lambda sas: with_header(signed(sas), "authorization", signed(sas).headers["authorization"]),
        400,
        "SignatureDoesNotMatch",
    ),
    "an unknown key": (
        lambda sas: with_header(
            signed(sas),
            "authorization",
            signed(sas).headers["authorization"].replace(sas.access_key_id, "nobody"),
        ),
        404,
        "InvalidAccessKeyId.NotFound",
    ),
    "a token that the key has not": (
        lambda sas: with_header(signed(sas), "x-acs-security-token", "token"),
        400,
        "IncompleteSignature",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(sas: Emulator, case: str) -> None:
    make, status, code = REFUSED[case]
    before = len(sas.started)
    answered = send(sas, make(sas))
    assert (answered.status, answered.code) == (status, code)
    assert answered.headers["date"]
    assert len(sas.started) == before


def test_it_takes_the_request_that_all_of_these_were_made_of(sas: Emulator) -> None:
    answered = send(sas, signed(sas))
    assert answered.status == 200
    assert sas.tasks[answered.payload["TaskId"]].param == {"a": "b c"}


def test_it_refuses_a_nonce_the_second_time(sas: Emulator) -> None:
    request = signed(sas)
    before = len(sas.started)
    assert [send(sas, request).code for _ in range(3)] == ["", "SignatureNonceUsed", "SignatureNonceUsed"]
    assert len(sas.started) == before + 1


def test_it_refuses_a_revoked_key_until_it_is_restored(sas: Emulator) -> None:
    sas.revoke(sas.access_key_id)
    assert send(sas, signed(sas)).code == "InvalidAccessKeyId.Inactive"
    sas.restore(sas.access_key_id)
    assert send(sas, signed(sas)).status == 200
