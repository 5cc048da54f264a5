"""Instance metadata is asked with a token, and without one only where the user says so."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.credentials.base import EMULATOR
from airflow_provider_aegis.client.credentials.instance_metadata import InstanceMetadata
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    NoAnswerError,
    SecurityCenterError,
    UnreachableError,
)
from airflow_provider_aegis.client.protocol.responses import Response
from tests.fakes import Scripted, answer
from tests.unit.client.credentials.places import FETCHED, HANDED_OUT, PAYLOAD, ROLE_NAME, TOKEN, fetch

PATH = "latest/meta-data/ram/security-credentials"
WITH_TOKEN = {"x-aliyun-ecs-metadata-token": "metadata-token"}


def test_a_token_is_asked_for_first_then_the_role_then_its_credentials() -> None:
    fetched, stage = fetch(InstanceMetadata(), TOKEN, ROLE_NAME, HANDED_OUT)
    assert fetched == FETCHED
    assert [(send.method, send.url, dict(send.headers)) for send in stage.sent] == [
        ("PUT", "http://100.100.100.200/latest/api/token", {"x-aliyun-ecs-metadata-token-ttl-seconds": "21600"}),
        ("GET", f"http://100.100.100.200/{PATH}/", WITH_TOKEN),
        ("GET", f"http://100.100.100.200/{PATH}/the-role", WITH_TOKEN),
    ]
    assert all(send.direct and send.signature is None and not send.body for send in stage.sent)
    assert all(send.connect_timeout == send.read_timeout == 1 for send in stage.sent)
    assert stage.masked == ["metadata-token"]


@pytest.mark.parametrize("how", ["connection", "environment"])
def test_the_role_is_not_asked_for_where_it_is_known(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "known")
    _, stage = fetch(InstanceMetadata("known" if how == "connection" else None), TOKEN, HANDED_OUT)
    assert stage.sent[-1].url.endswith(f"{PATH}/known")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Response(403, {}, b"no"), AuthenticationError),
        (Response(404, {}, b""), AuthenticationError),
        (Response(302, {}, b""), AuthenticationError),
        (Response(503, {}, b""), UnreachableError),
        (Response(200, {}, b""), AuthenticationError),
        (Response(200, {}, b"to\nken"), AuthenticationError),
        (Response(200, {}, b"\xff"), AuthenticationError),
        (NoAnswerError("reset"), UnreachableError),
        (UnreachableError("down"), UnreachableError),
    ],
)
def test_without_a_token_nothing_is_asked(reply: Scripted, error: type[SecurityCenterError]) -> None:
    with pytest.raises(SecurityCenterError) as caught:
        fetch(InstanceMetadata(), reply)
    assert type(caught.value) is error
    assert caught.value.action == "instance metadata"


@pytest.mark.parametrize("value", ["false", "False", "true", "", "0"])
def test_unless_the_environment_says_in_so_many_words_that_it_may(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_IMDSV1_DISABLED", value)
    refused = Response(404, {}, b"")
    if value.lower() == "false":
        fetched, stage = fetch(InstanceMetadata("r"), refused, HANDED_OUT)
        assert fetched == FETCHED
        assert dict(stage.sent[-1].headers) == {}
        return
    with pytest.raises(AuthenticationError):
        fetch(InstanceMetadata("r"), refused)


@pytest.mark.parametrize("name", [b"../../api/token", b"a?b", b"a b", b"<html>", b"x" * 65, b""])
def test_a_name_that_is_no_roles_leads_nowhere(name: bytes) -> None:
    with pytest.raises(AuthenticationError):
        fetch(InstanceMetadata(), TOKEN, Response(200, {}, name))


@pytest.mark.parametrize("payload", [{"Code": "Failed"}, {**PAYLOAD, "Code": "Failed"}, {}, {"Code": "Success"}])
def test_an_answer_without_credentials_is_an_error(payload: dict[str, str]) -> None:
    with pytest.raises(AuthenticationError):
        fetch(InstanceMetadata("r"), TOKEN, answer(payload))


def test_the_environment_may_forbid_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "TRUE")
    with pytest.raises(ConfigurationError, match="ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
        fetch(InstanceMetadata())


def test_an_emulator_on_loopback_may_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, "127.0.0.1:8080")
    _, stage = fetch(InstanceMetadata("r"), TOKEN, HANDED_OUT)
    assert [send.url for send in stage.sent] == [
        "http://127.0.0.1:8080/latest/api/token",
        f"http://127.0.0.1:8080/{PATH}/r",
    ]


@pytest.mark.parametrize(("role", "account"), [(None, "ecs_ram_role"), ("r", "ecs_ram_role r")])
def test_the_account_is_the_roles_as_far_as_it_is_known(role: str | None, account: str) -> None:
    assert InstanceMetadata(role).account == account
