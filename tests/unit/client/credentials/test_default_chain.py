"""The places where the default chain looks, in their order, and what each of them may say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_aegis.client.credentials.base import Fetched
from airflow_provider_aegis.client.credentials.default_chain import MAX_FILE_BYTES, DefaultChain
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    NoAnswerError,
    PermissionDeniedError,
    SecurityCenterError,
    UnreachableError,
)
from airflow_provider_aegis.client.flows.commands import Send
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import Scripted, Stage, failure, signature_of
from tests.unit.client.credentials.places import FETCHED, FROM_STS, HANDED_OUT, ROLE_NAME, TOKEN, fetch, query_of

ROLE, PROVIDER = "acs:ram::1:role/r", "acs:ram::1:oidc-provider/p"
NO_METADATA = UnreachableError("could not connect")
ENVIRONMENT = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env-secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "env-token",
}
AK = {"access_key_id": "file-id", "access_key_secret": "file-secret"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write_config(home: Path, *profiles: dict[str, Any], current: str = "default") -> None:
    named = [{"name": "default", **profile} for profile in profiles]
    (home / ".aliyun").mkdir()
    (home / ".aliyun" / "config.json").write_text(json.dumps({"current": current, "profiles": named}))


def write_ini(home: Path, text: str) -> Path:
    (home / ".alibabacloud").mkdir()
    path = home / ".alibabacloud" / "credentials.ini"
    path.write_text(text)
    return path


def look(*replies: Scripted) -> Fetched:
    return fetch(DefaultChain(), *replies)[0]


def refusal(*replies: Scripted) -> Exception:
    with pytest.raises((SecurityCenterError, ConfigurationError)) as caught:
        look(*replies)
    assert caught.value.__context__ is None
    return caught.value


# The order


def test_the_first_place_that_has_credentials_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = home / "token"
    token.write_text("jwt")
    write_config(home, {"mode": "AK", "access_key_id": "cli-id", "access_key_secret": "s"})
    ini = write_ini(home, "[default]\ntype=access_key\naccess_key_id=ini-id\naccess_key_secret=s\n")
    places = {
        **ENVIRONMENT,
        "ALIBABA_CLOUD_ROLE_ARN": ROLE,
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token),
        "ALIBABA_CLOUD_CREDENTIALS_URI": "http://keys.example/keys",
    }
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    assert look().credentials == Credentials("env-id", "env-secret", "env-token")
    monkeypatch.delenv("ALIBABA_CLOUD_SECURITY_TOKEN")
    assert look().credentials == Credentials("env-id", "env-secret", None)
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    fetched, stage = fetch(DefaultChain(), FROM_STS)
    assert fetched == FETCHED
    assert query_of(stage.sent[0])["Action"] == "AssumeRoleWithOIDC"
    monkeypatch.delenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE")
    assert look().credentials.access_key_id == "cli-id"
    monkeypatch.setenv("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")
    assert look().credentials.access_key_id == "ini-id"
    ini.unlink()
    assert look(TOKEN, ROLE_NAME, HANDED_OUT) == FETCHED
    fetched, stage = fetch(DefaultChain(), NO_METADATA, HANDED_OUT)
    assert stage.sent[-1].url == "http://keys.example/keys"
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    assert look(HANDED_OUT) == FETCHED
    monkeypatch.delenv("ALIBABA_CLOUD_CREDENTIALS_URI")
    assert type(refusal()) is AuthenticationError


def test_a_chain_without_credentials_says_where_it_looked() -> None:
    error = refusal(NO_METADATA)
    assert type(error) is AuthenticationError
    assert "~/.aliyun/config.json" in str(error)


@pytest.mark.parametrize("trouble", [Response(503, {}, b""), NoAnswerError("reset"), Response(429, {}, b"")])
def test_metadata_that_fails_for_a_while_is_transient(trouble: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refusal(trouble)
    assert type(error) is UnreachableError
    assert "a place where the default chain looks failed" in str(error)
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://keys.example/keys")
    assert look(trouble, HANDED_OUT) == FETCHED


def test_a_place_that_names_a_way_decides_even_if_it_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the next place has may be the credentials of another account."""
    write_config(home, {"mode": "RamRoleArn", "ram_role_arn": ROLE, **AK})
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://keys.example/keys")
    assert type(refusal(failure("NoPermission", 403))) is PermissionDeniedError
    assert type(refusal(NoAnswerError("reset"))) is UnreachableError
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "env-id")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "env-secret ")
    assert str(refusal()).startswith("ALIBABA_CLOUD_ACCESS_KEY_SECRET has white space around it")


# ~/.aliyun/config.json

STATIC = [
    ({"mode": "AK", **AK}, Credentials("file-id", "file-secret")),
    ({"mode": "StsToken", **AK, "sts_token": "file-token"}, Credentials("file-id", "file-secret", "file-token")),
]


@pytest.mark.parametrize(("profile", "expected"), STATIC)
def test_a_profile_may_have_credentials(home: Path, profile: dict[str, Any], expected: Credentials) -> None:
    write_config(home, profile)
    assert look() == Fetched(expected, None)


def asked(stage: Stage) -> Iterator[tuple[str, dict[str, str], str]]:
    """Say of each request which host it went to, what it asked for, and in whose name."""
    for send in stage.sent:
        params = query_of(send) | dict(parse_qsl(send.body.decode()))
        yield urlsplit(send.url).netloc, params, signer(send)


def signer(send: Send) -> str:
    return signature_of(send).credentials.access_key_id if send.signature else ""


MORE = {"expired_seconds": 900, "policy": "{}", "external_id": "ext", "sts_region": "cn-beijing", "enable_vpc": True}
ASKED = {"RoleArn": ROLE, "RoleSessionName": "mine", "DurationSeconds": "900", "Policy": "{}", "ExternalId": "ext"}


def test_a_profile_may_be_a_role(home: Path) -> None:
    write_config(home, {"mode": "RamRoleArn", "ram_role_arn": ROLE, "ram_session_name": "mine", **AK, **MORE})
    fetched, stage = fetch(DefaultChain(), FROM_STS)
    assert fetched == FETCHED
    assert list(asked(stage)) == [("sts-vpc.cn-beijing.aliyuncs.com", ASKED, "file-id")]


def test_a_profile_may_be_a_role_that_another_profile_assumes(home: Path) -> None:
    chained = {"mode": "ChainableRamRoleArn", "ram_role_arn": ROLE, "ram_session_name": "mine"}
    write_config(
        home,
        {**chained, **MORE, "source_profile": "second"},
        {**chained, "name": "second", "source_profile": "third"},
        {"name": "third", "mode": "StsToken", **AK, "sts_token": "file-token"},
    )
    fetched, stage = fetch(DefaultChain(), FROM_STS, FROM_STS)
    assert fetched == FETCHED
    second = {"RoleArn": ROLE, "RoleSessionName": "mine", "DurationSeconds": "3600"}
    assert list(asked(stage)) == [
        ("sts.aliyuncs.com", second, "file-id"),
        ("sts-vpc.cn-beijing.aliyuncs.com", ASKED, "STS.id"),
    ]


def test_a_profile_may_be_the_machines_role(home: Path) -> None:
    write_config(home, {"mode": "EcsRamRole", "ram_role_name": "known"})
    fetched, stage = fetch(DefaultChain(), TOKEN, HANDED_OUT)
    assert fetched == FETCHED
    assert stage.sent[-1].url.endswith("/known")


def test_a_profile_may_be_a_role_for_a_token(home: Path) -> None:
    (home / "token").write_text("jwt")
    known = {"mode": "OIDC", "ram_role_arn": ROLE, "oidc_provider_arn": PROVIDER, "role_session_name": "mine"}
    write_config(home, {**known, "oidc_token_file": str(home / "token"), **MORE})
    fetched, stage = fetch(DefaultChain(), FROM_STS)
    assert fetched == FETCHED
    ((host, params, _),) = asked(stage)
    assert host == "sts-vpc.cn-beijing.aliyuncs.com"
    expected = {"OIDCToken": "jwt", "OIDCProviderArn": PROVIDER, **ASKED} | {"ExternalId": ""}
    assert {name: params.get(name, "") for name in expected} == expected


def test_the_profile_is_the_one_that_is_chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(home, {"mode": "AK", **AK}, {"name": "other", "mode": "AK", **AK, "access_key_id": "other-id"})
    assert look().credentials.access_key_id == "file-id"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "other")
    assert look().credentials.access_key_id == "other-id"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "neither")
    assert type(refusal(NO_METADATA)) is AuthenticationError


def test_a_session_name_of_the_environment_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_SESSION_NAME", "theirs")
    write_config(home, {"mode": "RamRoleArn", "ram_role_arn": ROLE, **AK})
    assert query_of(fetch(DefaultChain(), FROM_STS)[1].sent[0])["RoleSessionName"] == "theirs"


@pytest.mark.parametrize("mode", ["External", "CloudSSO", "OAuth", "RsaKeyPair", "RamRoleArnWithEcs", "", None])
def test_ways_that_are_not_gone_are_refused_by_name(home: Path, mode: str | None) -> None:
    touched = home / "touched"
    write_config(home, {"mode": mode, **AK, "process_command": f"touch {touched}"})
    error = refusal()
    assert type(error) is ConfigurationError
    assert f"config.json, profile 'default' has mode {mode or None!r}" in str(error)
    assert not touched.exists()


BROKEN = [
    ("{", "cannot be read"),
    ("[]", "cannot be read"),
    ('{"profiles": 5}', "cannot be read"),
    ("[" * 100_000, "cannot be read"),
    ('"\\ud800', "cannot be read"),
    (" " * (MAX_FILE_BYTES + 1), "is longer than 1024 KiB"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_broken_file_is_named(home: Path, text: str, words: str) -> None:
    write_config(home)
    (home / ".aliyun" / "config.json").write_text(text)
    error = refusal()
    assert type(error) is ConfigurationError
    assert f"config.json {words}" in str(error)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"mode": "RamRoleArn", **AK}, "'ram_role_arn' is empty"),
        ({"mode": "RamRoleArn", "ram_role_arn": ROLE}, "has no credentials to assume the role with"),
        ({"mode": "StsToken", **AK}, "'sts_token' is empty"),
        ({"mode": "OIDC", "ram_role_arn": ROLE}, "'oidc_provider_arn' is empty"),
        ({"mode": "AK", **AK, "access_key_secret": ["secretly"]}, "'access_key_secret' must be a string, not list"),
        ({"mode": "AK", **AK, "access_key_secret": "secretly\n"}, "'access_key_secret' has white space around it"),
        ({"mode": "ChainableRamRoleArn", "ram_role_arn": ROLE}, "'source_profile' is empty"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "x"}, "'source_profile' 'x' leads nowhere"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "default"}, "'source_profile' 'default' leads nowhere"),
        ({"mode": 5}, "'mode' must be a string, not int"),
    ],
)
def test_a_profile_that_is_not_whole_is_named_and_not_shown(home: Path, profile: dict[str, Any], words: str) -> None:
    write_config(home, profile)
    error = refusal()
    assert type(error) is ConfigurationError
    assert words in str(error)
    assert "secretly" not in str(error)


def test_profiles_that_lead_to_each_other_lead_nowhere(home: Path) -> None:
    chained = {"mode": "ChainableRamRoleArn", "ram_role_arn": ROLE}
    write_config(home, {**chained, "source_profile": "b"}, {**chained, "name": "b", "source_profile": "default"})
    assert "leads nowhere" in str(refusal())


@pytest.mark.parametrize("profile", [{"mode": "AK", "access_key_id": "", "access_key_secret": ""}, {"mode": "AK"}])
def test_a_profile_that_nobody_has_filled_in_is_passed_over(home: Path, profile: dict[str, Any]) -> None:
    """As the command line tool leaves it when its configuration is broken off."""
    write_config(home, profile)
    assert look(TOKEN, ROLE_NAME, HANDED_OUT) == FETCHED
