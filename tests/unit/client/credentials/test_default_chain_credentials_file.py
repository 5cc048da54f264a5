"""``~/.alibabacloud/credentials.ini``, the file of the vendor's libraries."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from airflow_provider_aegis.client.credentials.base import Fetched
from airflow_provider_aegis.client.credentials.default_chain import DefaultChain
from airflow_provider_aegis.client.errors import AuthenticationError, ConfigurationError, UnreachableError
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import signature_of
from tests.unit.client.credentials.places import FETCHED, FROM_STS, HANDED_OUT, TOKEN, fetch, query_of

ROLE, PROVIDER = "acs:ram::1:role/r", "acs:ram::1:oidc-provider/p"
AK = "access_key_id = ini-id\naccess_key_secret = ini-%secret # of nobody\n"
NO_METADATA = UnreachableError("could not connect")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / ".alibabacloud").mkdir()
    return tmp_path / ".alibabacloud" / "credentials.ini"


def test_a_section_may_have_credentials(file: Path) -> None:
    file.write_text(f"[default]\ntype = access_key\n{AK}")
    fetched, _ = fetch(DefaultChain())
    assert fetched == Fetched(Credentials("ini-id", "ini-%secret"), None)


def test_a_section_may_be_a_role(file: Path) -> None:
    role = f"role_arn = {ROLE}\nrole_session_name = mine\npolicy = {{}}\n"
    file.write_text(f"[default]\ntype = ram_role_arn\n{AK}{role}")
    fetched, stage = fetch(DefaultChain(), FROM_STS)
    assert fetched == FETCHED
    assert signature_of(stage.sent[0]).credentials == Credentials("ini-id", "ini-%secret")
    assert query_of(stage.sent[0]) == {
        "RoleArn": ROLE,
        "RoleSessionName": "mine",
        "DurationSeconds": "3600",
        "Policy": "{}",
    }


def test_a_section_may_be_a_role_for_a_token(file: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("jwt")
    role = f"role_arn = {ROLE}\noidc_provider_arn = {PROVIDER}\noidc_token_file_path = {tmp_path}/token\n"
    file.write_text(f"[default]\ntype = oidc_role_arn\n{role}")
    fetched, stage = fetch(DefaultChain(), FROM_STS)
    assert fetched == FETCHED
    assert dict(parse_qsl(stage.sent[0].body.decode()))["OIDCToken"] == "jwt"


def test_a_section_may_be_the_machines_role(file: Path) -> None:
    file.write_text("[default]\ntype = ecs_ram_role\nrole_name = known\n")
    fetched, stage = fetch(DefaultChain(), TOKEN, HANDED_OUT)
    assert fetched == FETCHED
    assert stage.sent[-1].url.endswith("/known")


def test_the_environment_may_name_another_file_and_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.ini"
    other.write_text(f"\ufeff[mine]\ntype = access_key\n{AK}")
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(other))
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "mine")
    assert fetch(DefaultChain())[0].credentials.access_key_id == "ini-id"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "theirs")
    with pytest.raises(AuthenticationError, match="none of the places"):
        fetch(DefaultChain(), NO_METADATA)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[default]\ntype = rsa_key_pair\n", "[default] has type 'rsa_key_pair', which is not supported here"),
        ("[default]\n", "[default] has type None, which is not supported here"),
        (f"[default]\ntype = ram_role_arn\n{AK}", "[default]: 'role_arn' is empty"),
        ("secretly\n", "cannot be read: it is not in the format"),
        ("[default]\nsecretly\n", "cannot be read: it is not in the format"),
        ("[default]\na=1\n[default]\n", "cannot be read: it is not in the format"),
        ("\ufffe", "cannot be read: it is not in the format"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_shown(file: Path, text: str, words: str) -> None:
    file.write_bytes(text.encode("utf-16-le" if text == "\ufffe" else "utf-8"))
    with pytest.raises(ConfigurationError) as caught:
        fetch(DefaultChain())
    assert f"credentials.ini{'' if words.startswith('cannot') else ','} {words}" in str(caught.value)
    assert "secretly" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["", "[other]\ntype = access_key\n", "[default]\ntype = access_key\n"])
def test_what_names_no_credentials_is_passed_over(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(AuthenticationError, match="none of the places"):
        fetch(DefaultChain(), NO_METADATA)


def test_without_a_home_there_are_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nowhere)
    with pytest.raises(AuthenticationError, match="none of the places"):
        fetch(DefaultChain(), NO_METADATA)
