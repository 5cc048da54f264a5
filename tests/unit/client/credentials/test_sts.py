"""What STS is asked, where, and what its answers mean."""

from __future__ import annotations

import re
from pathlib import Path
from traceback import TracebackException
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_aegis.client.credentials.base import EMULATOR, StaticCredentials
from airflow_provider_aegis.client.credentials.sts import (
    MAX_TOKEN_BYTES,
    AssumeRole,
    AssumeRoleWithOIDC,
    endpoint,
)
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConfigurationError,
    ExpiredTokenError,
    NoAnswerError,
    PermissionDeniedError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import Scripted, answer, failure, signature_of
from tests.unit.client.credentials.places import FETCHED, FROM_STS, PAYLOAD, fetch, query_of

BASE = Credentials("LTAI-base", "base-secret", "base-token")
ROLE = "acs:ram::1234567890:role/scanner"
PROVIDER = "acs:ram::1234567890:oidc-provider/ack"
POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*~\'(é"}]}'
JWT = "eyJhbGciOi.J9.c2ln-_"


def role(**more: Any) -> AssumeRole:
    return AssumeRole(**{"base": StaticCredentials(BASE), "role_arn": ROLE, **more})


def oidc(path: Path, content: bytes | None = JWT.encode(), **more: Any) -> AssumeRoleWithOIDC:
    file = path / "token"
    if content is not None:
        file.write_bytes(content)
    known = {"role_arn": ROLE, "oidc_provider_arn": PROVIDER, "oidc_token_file": str(file)}
    return AssumeRoleWithOIDC(**{**known, **more})


# What is asked


def test_a_role_is_assumed_with_a_signed_post_and_its_parameters_in_the_query() -> None:
    fetched, stage = fetch(
        role(role_session_name="mine", duration_seconds=900, policy=POLICY, external_id="ext=1"), FROM_STS
    )
    assert fetched == FETCHED
    (send,) = stage.sent
    assert (send.method, send.body, dict(send.headers)) == ("POST", b"", {})
    assert query_of(send) == {
        "DurationSeconds": "900",
        "ExternalId": "ext=1",
        "Policy": POLICY,
        "RoleArn": ROLE,
        "RoleSessionName": "mine",
    }
    assert "+" not in send.url, "a space is %20"
    parts = urlsplit(send.url)
    headers = signature_of(send).headers(method="POST", host=parts.netloc, path=parts.path, query=parts.query)
    assert headers["x-acs-action"] == "AssumeRole"
    assert headers["x-acs-version"] == "2015-04-01"
    assert headers["x-acs-date"] == "2026-01-02T03:04:05Z"
    assert headers["x-acs-security-token"] == "base-token"
    assert signature_of(send).credentials == BASE


def test_defaults_are_an_hour_and_a_name() -> None:
    _, stage = fetch(role(), FROM_STS)
    assert query_of(stage.sent[0]) == {
        "DurationSeconds": "3600",
        "RoleArn": ROLE,
        "RoleSessionName": "airflow-provider-aegis",
    }


def test_a_role_may_be_assumed_with_another_role() -> None:
    first = {**PAYLOAD, "AccessKeyId": "STS.first"}
    fetched, stage = fetch(role(base=role()), answer({"Credentials": first}), FROM_STS)
    assert fetched == FETCHED
    assert [signature_of(send).credentials.access_key_id for send in stage.sent] == ["LTAI-base", "STS.first"]


def test_a_token_is_sent_unsigned_and_in_the_body(tmp_path: Path) -> None:
    fetched, stage = fetch(oidc(tmp_path, JWT.encode() + b"\n", policy=POLICY), FROM_STS)
    assert fetched == FETCHED
    (send,) = stage.sent
    assert (send.method, send.signature) == ("POST", None)
    assert send.headers == {"content-type": "application/x-www-form-urlencoded"}
    assert query_of(send) == {
        "Action": "AssumeRoleWithOIDC",
        "Format": "JSON",
        "Timestamp": "2026-01-02T03:04:05Z",
        "Version": "2015-04-01",
    }
    assert dict(parse_qsl(send.body.decode(), strict_parsing=True)) == {
        "DurationSeconds": "3600",
        "OIDCProviderArn": PROVIDER,
        "OIDCToken": JWT,
        "Policy": POLICY,
        "RoleArn": ROLE,
        "RoleSessionName": "airflow-provider-aegis",
    }


def test_the_file_is_read_at_every_fetch(tmp_path: Path) -> None:
    for token in (b"first", b"second"):
        _, stage = fetch(oidc(tmp_path, token), FROM_STS)
        assert b"OIDCToken=" + token in stage.sent[0].body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"first\nsecond", "has more than one line"),
        (b"first\rsecond", "has more than one line"),
        (b"\xff\xfe", "has white space around it or odd characters in it"),
        (b"to\0ken", "has white space around it or odd characters in it"),
        (b"x" * (MAX_TOKEN_BYTES + 1), "is longer than 16 KiB"),
    ],
)
def test_a_token_is_one_line_of_a_small_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    source = oidc(tmp_path, content, file_named="the setting")
    with pytest.raises(ConfigurationError) as caught:
        fetch(source)
    assert str(caught.value) == f"the setting {source.oidc_token_file!r} {words}."


def test_half_a_character_is_refused_and_the_token_is_in_no_variable_of_the_traceback(tmp_path: Path) -> None:
    for source in (role(policy='{"a": "\ud800"}'), oidc(tmp_path, policy='{"a": "\ud800"}')):
        with pytest.raises(ConfigurationError, match="half a character") as caught:
            fetch(source)
        told = TracebackException.from_exception(caught.value, capture_locals=True)
        variables = [frame.locals or {} for frame in told.stack if "airflow_provider_aegis" in frame.filename]
        assert variables
        assert "base-secret" not in str(variables)
        assert JWT not in str(variables)


def test_a_token_may_be_as_long_as_that(tmp_path: Path) -> None:
    fetch(oidc(tmp_path, b"x" * MAX_TOKEN_BYTES), FROM_STS)


# Where


@pytest.mark.parametrize(
    ("environment", "known", "host"),
    [
        ({}, (None, None), "sts.aliyuncs.com"),
        ({"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true"}, (None, None), "sts.aliyuncs.com"),
        ({"ALIBABA_CLOUD_STS_REGION": "cn-hangzhou"}, (None, None), "sts.cn-hangzhou.aliyuncs.com"),
        ({"ALIBABA_CLOUD_STS_REGION": "CN-Hangzhou"}, (None, None), "sts.cn-hangzhou.aliyuncs.com"),
        (
            {"ALIBABA_CLOUD_STS_REGION": "cn-hangzhou", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "True"},
            (None, None),
            "sts-vpc.cn-hangzhou.aliyuncs.com",
        ),
        ({"ALIBABA_CLOUD_STS_REGION": "cn-hangzhou"}, ("eu-west-1", True), "sts-vpc.eu-west-1.aliyuncs.com"),
        ({"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true"}, ("eu-west-1", False), "sts.eu-west-1.aliyuncs.com"),
    ],
)
def test_the_endpoint_is_the_regions_where_one_is_named(
    environment: dict[str, str], known: tuple[Any, Any], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert endpoint(*known) == f"https://{host}/"


@pytest.mark.parametrize(
    "region", ["evil.example/", "evil.example/?", "evil.example#", "x@evil.example/", "a b", "cn-x\n", "..", "é-x"]
)
def test_a_signature_goes_to_hosts_of_the_vendor_alone(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_STS_REGION", region)
    with pytest.raises(ConfigurationError, match="ALIBABA_CLOUD_STS_REGION"):
        fetch(role())


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "http://127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_an_emulator_on_loopback_may_stand_in(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, address)
    assert endpoint("cn-hangzhou", True) == f"http://{address.removeprefix('http://')}/"


@pytest.mark.parametrize("address", ["10.0.0.1:80", "evil.example", "https://127.0.0.1", "127.0.0.1/x", "u@127.0.0.1"])
def test_but_nothing_else(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, address)
    for source in (role(), oidc(tmp_path)):
        with pytest.raises(ConfigurationError, match=f"{EMULATOR} must be a host and a port on loopback"):
            fetch(source)


# What the answers mean

ECHO = "string to sign is: base-secret base-token"


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (failure("NoPermission", 403), PermissionDeniedError, "Grant sts:AssumeRole"),
        (failure("EntityNotExist.Role", 404), AuthenticationError, "EntityNotExist.Role"),
        (failure("InvalidParameter.RoleArn"), AuthenticationError, "InvalidParameter.RoleArn"),
        (failure("AuthenticationFail.OIDCToken.Expired", 401), AuthenticationError, "OIDCToken.Expired"),
        (failure("AuthenticationFail.OIDCToken.Expired"), AuthenticationError, "OIDCToken.Expired"),
        (failure("InvalidTimeStamp.Expired"), ClockError, "clock"),
        (failure("InvalidSecurityToken.Expired"), ExpiredTokenError, "expired"),
        (failure("SignatureDoesNotMatch", 400, f"No: {ECHO}"), AuthenticationError, "SignatureDoesNotMatch"),
        (failure("Throttling.User", 429), UnreachableError, "Throttling.User"),
        (failure("ServiceUnavailable", 503, f"Busy with {ECHO}"), UnreachableError, "Busy"),
        (answer("", 408), UnreachableError, "HTTP 408"),
        (answer("<html>", 403), AuthenticationError, "HTML"),
        (answer("", 302), AuthenticationError, "redirect"),
        (UnreachableError("down"), UnreachableError, "down"),
        (NoAnswerError("reset after base-secret"), UnreachableError, "reset"),
        (NoAnswerError("reset", code="base-secret", request_id="base-token"), UnreachableError, "reset"),
        (UntrustedEndpointError("TLS"), UntrustedEndpointError, "TLS"),
    ],
)
def test_an_error_says_what_it_means_to_a_call_that_waits_for_credentials(
    reply: Scripted, error: type[SecurityCenterError], words: str, tmp_path: Path
) -> None:
    for source, action in ((role(), "AssumeRole"), (oidc(tmp_path), "AssumeRoleWithOIDC")):
        with pytest.raises(SecurityCenterError, match=re.escape(words)) as caught:
            fetch(source, reply)
        assert type(caught.value) is error
        assert caught.value.refused, "nothing was asked of Security Center"
        assert caught.value.transient == (error is UnreachableError)
        assert caught.value.action == action
        assert caught.value.__context__ is None
        if action == "AssumeRole":
            assert "base-" not in f"{caught.value} {caught.value.as_dict()}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"AccessKeyId": None}, "the answer has no credentials"),
        ({"SecurityToken": None}, "the answer has no credentials"),
        ({"AccessKeySecret": "secretly "}, "the AccessKey secret has white space around it or odd characters"),
        ({"AccessKeySecret": ["secretly"]}, "the AccessKey secret is not a string"),
        ({"AccessKeyId": ""}, "the AccessKey ID is empty"),
        ({"SecurityToken": "secretly\r\nX: y"}, "the token has white space around it or odd characters"),
        ({"Expiration": None}, "do not say when they expire"),
        ({"Expiration": "secretly"}, "do not say when they expire"),
        ({"Expiration": 5}, "do not say when they expire"),
    ],
)
def test_what_cannot_be_credentials_is_named_and_not_shown(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(AuthenticationError, match=words) as caught:
        fetch(role(), answer({"Credentials": {**PAYLOAD, **changes}}))
    assert "secretly" not in str(caught.value)


@pytest.mark.parametrize("expiration", ["2026-01-02T04:04:05Z", "2026-01-02T05:04:05+01:00", "2026-01-02T04:04:05"])
def test_the_end_of_their_life_is_read_in_every_form_of_iso_8601(expiration: str) -> None:
    fetched, _ = fetch(role(), answer({"Credentials": {**PAYLOAD, "Expiration": expiration}}))
    assert fetched == FETCHED
