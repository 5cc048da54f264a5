from __future__ import annotations

import json

import pytest

from airflow_provider_aegis.client.protocol.error_codes import error_class
from airflow_provider_aegis.emulator.errors import REFUSALS, EmulatedError, envelope, no_permission
from airflow_provider_aegis.emulator.http import Request

REQUEST = Request(method="POST", headers={"host": "127.0.0.1:8765"})


def test_the_envelope_has_the_documented_members() -> None:
    reply = envelope(EmulatedError("TaskRepeat"), REQUEST)
    payload = json.loads(reply.body)
    assert payload.keys() == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert (payload["Code"], payload["Message"]) == ("TaskRepeat", "Please wait last task finish.")
    assert payload["HostId"] == "127.0.0.1:8765"
    assert "q=TaskRepeat&product=Sas" in payload["Recommend"]
    assert payload["Recommend"].endswith(payload["RequestId"])
    assert (reply.status, reply.code) == (400, "TaskRepeat")


def test_words_status_and_headers_can_be_given() -> None:
    refusal = EmulatedError("ServerError", "overloaded", status=200, headers={"x-acs-retry-after": "5"})
    reply = envelope(refusal, REQUEST)
    assert reply.status == 200
    assert json.loads(reply.body)["Message"] == "overloaded"
    assert reply.headers["x-acs-retry-after"] == "5"
    assert reply.headers["Content-Type"].startswith("application/json")


def test_a_code_that_is_not_in_the_table_is_a_400() -> None:
    assert EmulatedError("Unheard.Of").status == 400


def test_missing_permission_names_the_action_that_was_not_granted() -> None:
    payload = json.loads(envelope(no_permission("CancelOnceTask", "test-key"), REQUEST).body)
    detail = payload["AccessDeniedDetail"]
    assert payload["Code"] == "NoPermission"
    assert detail["AuthAction"] == "yundun-aegis:CancelOnceTask"
    assert detail["AuthPrincipalDisplayName"] == "test-key"
    assert detail.keys() == {
        "AuthAction",
        "AuthPrincipalDisplayName",
        "AuthPrincipalOwnerId",
        "AuthPrincipalType",
        "EncodedDiagnosticMessage",
        "NoPermissionType",
        "PolicyType",
    }


@pytest.mark.parametrize("code", REFUSALS)
def test_the_client_takes_every_refusal_for_an_error(code: str) -> None:
    status, message = REFUSALS[code]
    assert error_class(code, status) is not None
    assert message
