"""What a task is told when no keys can be had."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from airflow_provider_aegis.client.credentials.base import authenticate
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConfigurationError,
    PermissionDeniedError,
    UnreachableError,
)
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.emulator import Emulator
from tests.unit.client.credentials_services import BASE, ROLE, CredentialsServices, refusal
from tests.unit.hooks.connections import connect, extras, role


def test_a_chain_without_keys_says_where_it_looked(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AuthenticationError, match=r"~/\.aliyun/config\.json"):
        connect(monkeypatch, sas, {"auth_type": "default"}).get_last_once_task_info(once_task_type="T")


@pytest.mark.parametrize(
    ("trouble", "error", "words"),
    [
        (refusal(503, "ServiceUnavailable", "Later."), UnreachableError, "Later"),
        (refusal(429, "Throttling.User", "Slower."), UnreachableError, "Slower"),
        (refusal(404, "EntityNotExist.Role", "No role."), AuthenticationError, "No role"),
        (refusal(403, "NoPermission", "No."), PermissionDeniedError, "Grant sts:AssumeRole"),
        ((200, "<html>"), UnreachableError, "the answer is HTML"),
        ((200, "[]"), UnreachableError, "not an object"),
        (
            (200, '{"Credentials": {"AccessKeyId": "x", "AccessKeySecret": "leaked"}}'),
            AuthenticationError,
            "no credentials",
        ),
        ((200, '{"Credentials": {}}'), AuthenticationError, "no credentials"),
        ((200, '{"Credentials": "leaked"}'), AuthenticationError, "no credentials"),
        (refusal(401, "AuthenticationFail.OIDCToken.Expired", "Old."), AuthenticationError, "Old"),
        (refusal(400, "InvalidTimeStamp.Expired", "Late."), ClockError, "Late"),
    ],
)
def test_what_sts_answers_becomes_an_error_of_this_package(
    trouble: tuple[int, str],
    error: type[Exception],
    words: str,
    sas: Emulator,
    services: CredentialsServices,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    services.trouble = trouble
    with caplog.at_level(logging.DEBUG), pytest.raises(error, match=words) as caught:
        role(monkeypatch, sas).run_flow(authenticate())
    assert "leaked" not in f"{caught.value!r} {caplog.text}"
    assert caught.value.__context__ is None


def test_a_wrong_secret_of_the_base_keys_is_named_and_not_shown(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    extra = {"auth_type": "ram_role_arn", "role_arn": ROLE}
    hook = connect(monkeypatch, sas, extra, Credentials(BASE.access_key_id, "wrong-secret"))
    with caplog.at_level(logging.DEBUG):
        good, message = hook.test_connection()
    assert not good
    assert message.startswith("Check the connection's AccessKey ID")
    assert "AssumeRole: Specified signature is not matched." in message
    assert "secret" not in f"{message.partition('Check')[0]} {caplog.text}"


def test_sts_that_is_not_there_is_unreachable(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = connect(
        monkeypatch, sas, {"auth_type": "credentials_uri", "credentials_uri": "http://127.0.0.1:1/keys?secret=x"}
    )
    with pytest.raises(UnreachableError) as caught:
        hook.run_flow(authenticate())
    assert "secret" not in str(caught.value)


def test_a_token_file_that_cannot_be_read_is_named(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hook = connect(monkeypatch, sas, extras("oidc_role_arn", services, tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"'oidc_token_file'.*No such file"):
        hook.run_flow(authenticate())


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["no token", "no path"])
def test_a_token_file_that_is_none_is_named(
    content: bytes | None,
    sas: Emulator,
    services: CredentialsServices,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path = tmp_path / ("token" if content else "to\0ken")
    if content:
        path.write_bytes(content)
    hook = connect(monkeypatch, sas, extras("oidc_role_arn", services, path))
    words = "odd characters" if content else "not the name of a file"
    with pytest.raises(ConfigurationError, match=rf"'oidc_token_file'.*{words}"):
        hook.run_flow(authenticate())


def test_an_answer_that_repeats_the_chains_secret_does_not_give_it_away(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", BASE.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", BASE.access_key_secret.reveal())
    services.trouble = refusal(403, "NoPermission", f"Not with {BASE.access_key_secret.reveal()}.")
    hook = connect(monkeypatch, sas, {"auth_type": "ram_role_arn", "role_arn": ROLE})
    with pytest.raises(PermissionDeniedError, match=r"Not with \*\*\*\."):
        hook.run_flow(authenticate())


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"auth_type": "ram_role_arn", "role_arn": ROLE, "external_id": "as-agreed/1"}, r"'ExternalId': '\*\*\*'"),
        ({"auth_type": "credentials_uri", "credentials_uri": "{uri}&key=as-agreed/1"}, r"'for': 'airflow'.*'\*\*\*'"),
    ],
    ids=["external ID", "URI"],
)
def test_an_answer_does_not_repeat_what_guards_a_role_or_a_uri(
    extra: dict[str, str], words: str, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.trouble = refusal(403, "NoPermission", "Not with {request}.")
    extra = {name: value.replace("{uri}", services.uri) for name, value in extra.items()}
    with pytest.raises((PermissionDeniedError, AuthenticationError), match=words) as caught:
        connect(monkeypatch, sas, extra, BASE if "role_arn" in extra else None).run_flow(authenticate())
    assert "as-agreed" not in str(caught.value)
    assert ("Grant sts:" in str(caught.value)) == ("role_arn" in extra)


@pytest.mark.parametrize("status", [500, 503, 429])
@pytest.mark.parametrize("auth_type", ["default", "credentials_uri"])
def test_a_service_that_fails_for_a_while_is_transient_behind_the_default_chain_too(
    auth_type: str,
    status: int,
    sas: Emulator,
    services: CredentialsServices,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if auth_type != "credentials_uri":
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", services.uri)
    services.trouble = refusal(status, "Busy", "Busy.")
    extra = {"auth_type": auth_type} | ({"credentials_uri": services.uri} if auth_type == "credentials_uri" else {})
    with pytest.raises(UnreachableError):
        connect(monkeypatch, sas, extra).run_flow(authenticate())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AccessKeyId", "STS.secretly\n"),
        ("AccessKeySecret", "secretly "),
        ("SecurityToken", "secretly\r\nX: y"),
        ("SecurityToken", "secretlyé"),
        ("AccessKeySecret", ""),
    ],
)
def test_keys_that_fit_into_no_header_are_named_and_not_shown(
    name: str, value: str, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"AccessKeyId": "STS.id", "AccessKeySecret": "s", "SecurityToken": "t", "Expiration": "2099-01-01T00:00:00Z"}
    services.trouble = 200, json.dumps({"Code": "Success", **keys, name: value})
    hook = connect(monkeypatch, sas, {"auth_type": "credentials_uri", "credentials_uri": services.uri})
    good, message = hook.test_connection()
    assert not good
    assert "secretly" not in message
    if value:
        assert "has white space around it or odd characters in it" in message
