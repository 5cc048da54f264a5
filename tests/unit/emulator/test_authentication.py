from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.protocol.signing import Credentials, authorization, sha256_hex
from airflow_provider_aegis.emulator.authentication import MUST_BE_SIGNED, Authenticator, Key, read_authorization
from airflow_provider_aegis.emulator.errors import EmulatedError
from airflow_provider_aegis.emulator.http import Request
from tests.unit.emulator.support import KEY_ID, SECRET, Caller, date_of, make_caller, with_header, without

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


class Sentry:
    """A gate with one key, and somebody who signs for it."""

    def __init__(self, key: Key | None = None, credentials: Credentials | None = None) -> None:
        self.caller: Caller = make_caller()
        self.clock = self.caller.clock
        if credentials:
            self.caller.credentials = credentials
        self.gate = Authenticator()
        self.gate.add(KEY_ID, key or Key(SECRET), monotonic=self.clock.monotonic())

    def admit(self, request: Request) -> str:
        return self.gate.admit(request, now=self.clock.time(), monotonic=self.clock.monotonic())

    def refusal(self, request: Request) -> EmulatedError:
        with pytest.raises(EmulatedError) as caught:
            self.admit(request)
        return caught.value


@given(params=st.dictionaries(TEXT, TEXT, max_size=4), method=st.sampled_from(["GET", "POST"]))
def test_whatever_is_asked_gets_through_when_it_is_signed(params: dict[str, str], method: str) -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any", method=method, **{f"x{name}": value for name, value in params.items()})
    assert sentry.admit(request) == KEY_ID


def test_a_space_may_come_as_a_plus() -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any", Param='{"a": "b c"}')
    assert "%20" in request.query
    assert sentry.admit(replace(request, query=request.query.replace("%20", "+"))) == KEY_ID


def test_parameters_may_come_in_any_order() -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any", A="1", B="2")
    assert sentry.admit(replace(request, query="B=2&A=1")) == KEY_ID


def test_a_header_that_is_not_signed_does_not_matter() -> None:
    sentry = Sentry()
    assert sentry.admit(with_header(sentry.caller.request("Any"), "user-agent", "somebody")) == KEY_ID


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic abc",
        "ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host",
        "ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=short",
        f"ACS4-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature={'0' * 64}",
        f"ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature={'0' * 64}",
    ],
)
def test_an_authorization_that_is_missing_or_garbled_is_incomplete(header: str) -> None:
    sentry = Sentry()
    assert sentry.refusal(with_header(sentry.caller.request("Any"), "authorization", header)).code == (
        "IncompleteSignature"
    )
    assert read_authorization(Request(method="GET", headers={"authorization": header})) is None


@pytest.mark.parametrize("name", MUST_BE_SIGNED)
def test_every_needed_header_has_to_be_signed(name: str) -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any")
    signed = sorted(set(MUST_BE_SIGNED) - {name})
    header = f"ACS3-HMAC-SHA256 Credential={KEY_ID},SignedHeaders={';'.join(signed)},Signature={'0' * 64}"
    refusal = sentry.refusal(with_header(request, "authorization", header))
    assert (refusal.code, refusal.message) == ("IncompleteSignature", f"Not signed: {name}.")


@pytest.mark.parametrize("name", MUST_BE_SIGNED)
def test_every_signed_header_has_to_be_sent(name: str) -> None:
    sentry = Sentry()
    refusal = sentry.refusal(without(sentry.caller.request("Any"), name))
    assert (refusal.code, refusal.message) == ("IncompleteSignature", f"Signed, but not sent: {name}.")


@pytest.mark.parametrize("name", [name for name in MUST_BE_SIGNED if name != "x-acs-date"])
def test_no_signed_header_can_be_changed(name: str) -> None:
    sentry = Sentry()
    assert sentry.refusal(with_header(sentry.caller.request("Any"), name, "changed")).code == "SignatureDoesNotMatch"


def test_the_date_cannot_be_changed_within_the_window() -> None:
    sentry = Sentry()
    changed = with_header(sentry.caller.request("Any"), "x-acs-date", date_of(sentry.clock.time() + 60))
    assert sentry.refusal(changed).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "change",
    [
        {"query": "Name=other"},
        {"query": "Name=value&More=1"},
        {"query": "Name=other&Name=value"},
        {"query": ""},
        {"body": b"{}"},
        {"method": "GET"},
        {"path": "/other"},
    ],
)
def test_nothing_of_the_request_can_be_changed(change: dict[str, Any]) -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any", Name="value")
    assert sentry.refusal(replace(request, **change)).code == "SignatureDoesNotMatch"
    assert sentry.admit(request) == KEY_ID


def test_a_body_cannot_be_exchanged_together_with_its_hash() -> None:
    sentry = Sentry()
    request = replace(sentry.caller.request("Any"), body=b"{}")
    assert sentry.refusal(with_header(request, "x-acs-content-sha256", sha256_hex(b"{}"))).code == (
        "SignatureDoesNotMatch"
    )


def test_a_wrong_secret_does_not_match() -> None:
    sentry = Sentry(credentials=Credentials(KEY_ID, "wrong"))
    assert sentry.refusal(sentry.caller.request("Any")).code == "SignatureDoesNotMatch"


def test_an_unknown_key_is_not_found() -> None:
    sentry = Sentry(credentials=Credentials("nobody", SECRET))
    refusal = sentry.refusal(sentry.caller.request("Any"))
    assert (refusal.code, refusal.status) == ("InvalidAccessKeyId.NotFound", 404)


def test_a_key_that_is_switched_off_is_inactive_until_it_is_on_again() -> None:
    sentry = Sentry()
    sentry.gate.switch(KEY_ID, active=False)
    assert sentry.refusal(sentry.caller.request("Any")).code == "InvalidAccessKeyId.Inactive"
    sentry.gate.switch(KEY_ID, active=True)
    assert sentry.admit(sentry.caller.request("Any")) == KEY_ID
    with pytest.raises(ValueError, match="there is no access key 'nobody'"):
        sentry.gate.switch("nobody", active=False)


@pytest.mark.parametrize("seconds", [-899, 899])
def test_a_date_within_a_quarter_of_an_hour_is_taken(seconds: float) -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any")
    now = sentry.clock.time() + seconds
    assert sentry.gate.admit(request, now=now, monotonic=0) == KEY_ID


@pytest.mark.parametrize("seconds", [-902, 902])
def test_a_date_further_off_is_expired(seconds: float) -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any")
    with pytest.raises(EmulatedError, match=r"InvalidTimeStamp\.Expired"):
        sentry.gate.admit(request, now=sentry.clock.time() + seconds, monotonic=0)


@pytest.mark.parametrize(
    "date", ["", "Thu, 06 Feb 2020 07:32:54 GMT", "2026-01-02T03:04:05", "2026-1-2T3:4:5Z", "2026-13-01T00:00:00Z"]
)
def test_a_date_of_another_form_is_refused(date: str) -> None:
    sentry = Sentry()
    request = with_header(sentry.caller.request("Any"), "x-acs-date", date)
    assert sentry.refusal(request).code == "InvalidTimeStamp.Format"


def test_a_nonce_can_be_used_once() -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any")
    sentry.admit(request)
    assert sentry.refusal(request).code == "SignatureNonceUsed"


def test_a_request_that_is_refused_uses_no_nonce_up() -> None:
    sentry = Sentry()
    request = sentry.caller.request("Any", Name="value")
    sentry.refusal(replace(request, query="Name=forged"))
    assert sentry.admit(request) == KEY_ID


def test_two_keys_may_use_the_same_nonce() -> None:
    sentry = Sentry()
    nonce = {"x-acs-signature-nonce": "same"}
    assert sentry.admit(_signed_again(sentry.caller.request("Any"), Credentials(KEY_ID, SECRET), nonce)) == KEY_ID
    sentry.gate.add("second", Key(SECRET), monotonic=0)
    assert sentry.admit(_signed_again(sentry.caller.request("Any"), Credentials("second", SECRET), nonce)) == "second"


def test_nonces_are_forgotten_when_their_dates_have_expired() -> None:
    sentry = Sentry()
    credentials, nonce = Credentials(KEY_ID, SECRET), {"x-acs-signature-nonce": "same"}
    sentry.admit(_signed_again(sentry.caller.request("Any"), credentials, nonce))
    sentry.clock.advance(1800)
    again = _signed_again(sentry.caller.request("Any"), credentials, nonce)
    assert sentry.refusal(again).code == "SignatureNonceUsed"
    sentry.clock.advance(1)
    assert sentry.admit(again) == KEY_ID


def test_temporary_keys_come_with_their_token() -> None:
    sentry = Sentry(Key(SECRET, token="token", seconds=60), Credentials(KEY_ID, SECRET, "token"))
    assert sentry.admit(sentry.caller.request("Any")) == KEY_ID


@pytest.mark.parametrize(("held", "sent"), [("token", "other"), ("token", None), (None, "token")])
def test_a_token_that_is_not_the_keys_is_malformed(held: str | None, sent: str | None) -> None:
    sentry = Sentry(Key(SECRET, token=held), Credentials(KEY_ID, SECRET, sent))
    assert sentry.refusal(sentry.caller.request("Any")).code == "InvalidSecurityToken.Malformed"


def test_a_token_expires() -> None:
    sentry = Sentry(Key(SECRET, token="token", seconds=60), Credentials(KEY_ID, SECRET, "token"))
    sentry.clock.advance(60)
    assert sentry.refusal(sentry.caller.request("Any")).code == "InvalidSecurityToken.Expired"


def test_a_token_has_to_be_signed() -> None:
    sentry = Sentry(Key(SECRET, token="token"))
    refusal = sentry.refusal(with_header(sentry.caller.request("Any"), "x-acs-security-token", "token"))
    assert (refusal.code, refusal.message) == ("IncompleteSignature", "Not signed: x-acs-security-token.")


def test_a_key_does_not_show_its_secrets() -> None:
    shown = repr(Key("very-secret", token="very-secret-too", seconds=5))
    assert "very-secret" not in shown
    assert Authenticator().access_key_ids == []


def _signed_again(request: Request, credentials: Credentials, headers: dict[str, str]) -> Request:
    changed = {name: request.headers[name] for name in MUST_BE_SIGNED} | headers
    signature = authorization(
        method=request.method,
        query=request.query,
        headers=changed,
        payload_hash=changed["x-acs-content-sha256"],
        credentials=credentials,
    )
    return replace(request, headers={**changed, "authorization": signature})
