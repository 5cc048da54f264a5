"""Where the default chain finds credentials, against the vendor's library; and where we part on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.credentials.default_chain import DefaultChain
from airflow_provider_aegis.client.errors import AuthenticationError, ConfigurationError
from tests.conformance.both import Both, led_to_metadata, what
from tests.conformance.recorder import Recorder
from tests.unit.client.transport.drivers import Blocking

pytest.importorskip("alibabacloud_credentials")

ROLE, PROVIDER = "acs:ram::1:role/r", "acs:ram::1:oidc-provider/p"
AK = {"access_key_id": "file-id", "access_key_secret": "file-secret"}
PLACES = ("environment", "OIDC", "config.json", "credentials.ini", "metadata", "URI")


def arrange(home: Path, services: Recorder, *places: str) -> dict[str, str]:
    """Have credentials in some of the places, and return the environment."""
    env = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "false" if "metadata" in places else "true"}
    if "environment" in places:
        env |= {"ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env-secret"}
    if "OIDC" in places:
        (home / "token").write_text("eyJ.token")
        env |= {
            "ALIBABA_CLOUD_ROLE_ARN": ROLE,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(home / "token"),
            "ALIBABA_CLOUD_ROLE_SESSION_NAME": "mine",
        }
    if "config.json" in places:
        write_config(home, {"mode": "AK", **AK})
    if "credentials.ini" in places:
        (home / ".alibabacloud").mkdir()
        text = "[default]\ntype=access_key\naccess_key_id=ini-id\naccess_key_secret=ini-secret\n"
        (home / ".alibabacloud" / "credentials.ini").write_text(text)
    if "URI" in places:
        env["ALIBABA_CLOUD_CREDENTIALS_URI"] = f"http://{services.address}/keys"
    return env


def write_config(home: Path, profile: Mapping[str, Any]) -> None:
    (home / ".aliyun").mkdir()
    text = json.dumps({"current": "mine", "profiles": [{"name": "mine", **profile}]})
    (home / ".aliyun" / "config.json").write_text(text)


def agree(both: Both, services: Recorder, env: Mapping[str, str], *, metadata: bool = False) -> dict[str, Any]:
    """Return what both find, after the same requests to STS and the URI."""
    here, there = led_to_metadata(services) if metadata else ({}, {})
    answer, theirs = both.theirs({**env, **there})
    found, ours = both.ours(DefaultChain(), {**env, **here}, Blocking())
    assert found == answer
    if not metadata:
        assert [what_ for _, *what_ in what(ours)] == [what_ for _, *what_ in what(theirs)]
    return found


@pytest.mark.parametrize("first", PLACES)
def test_of_all_places_that_have_credentials_the_first_is_taken(
    both: Both, services: Recorder, tmp_path: Path, first: str
) -> None:
    env = arrange(tmp_path, services, *PLACES[PLACES.index(first) :])
    found = agree(both, services, env, metadata=first == "metadata")
    expected = ("env-id", f"STS.AssumeRoleWithOIDC-{ROLE}", "file-id", "ini-id", "STS.metadata-the-role", "STS.uri")
    assert found["access_key_id"] == expected[PLACES.index(first)]


@pytest.mark.parametrize(
    "more",
    [
        {"ALIBABA_CLOUD_SECURITY_TOKEN": "env-token"},
        {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""},
        {"ALIBABA_CLOUD_ACCESS_KEY_ID": ""},
        {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ROLE_ARN": ""},
        {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "", "ALIBABA_CLOUD_PROFILE": "mine"},
        {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_STS_REGION": "cn-hangzhou"},
        {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "",
            "ALIBABA_CLOUD_STS_REGION": "cn-beijing",
            "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true",
        },
        {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ROLE_ARN": "", "ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "True"},
    ],
    ids=lambda more: " ".join(f"{name.removeprefix('ALIBABA_CLOUD_')}={value}" for name, value in more.items()),
)
def test_the_variables_of_the_environment_mean_the_same(
    both: Both, services: Recorder, tmp_path: Path, more: dict[str, str]
) -> None:
    env = arrange(tmp_path, services, "environment", "OIDC", "config.json", "credentials.ini") | more
    agree(both, services, env)


@pytest.mark.parametrize(
    "profile",
    [{"mode": "AK", "access_key_id": "", "access_key_secret": ""}, {"name": "other", "mode": "AK", **AK}],
    ids=["not filled in", "another name"],
)
def test_a_profile_that_names_no_credentials_is_passed_over(
    both: Both, services: Recorder, tmp_path: Path, profile: dict[str, Any]
) -> None:
    env = arrange(tmp_path, services, "credentials.ini")
    write_config(tmp_path, profile)
    assert agree(both, services, env)["access_key_id"] == "ini-id"


# On purpose otherwise


@pytest.mark.parametrize("mode", ["External", "CloudSSO", "OAuth"])
def test_the_library_would_run_a_program_or_go_on_and_we_say_no(
    both: Both, services: Recorder, tmp_path: Path, mode: str
) -> None:
    ran = tmp_path / "ran"
    keys = {"mode": "StsToken", **AK, "sts_token": "t", "expiration": "2099-01-01T00:00:00Z"}
    script = tmp_path / "program"
    script.write_text(f"#!/bin/sh\ntouch {ran}\necho '{json.dumps(keys)}'\n")
    script.chmod(0o700)
    env = arrange(tmp_path, services, "URI")
    write_config(tmp_path, {"mode": mode, "process_command": str(script), **AK})
    answer, _ = both.theirs({**env, "PATH": "/usr/bin:/bin"})
    assert ran.exists() == (mode == "External")
    assert answer.get("access_key_id") == ("file-id" if mode == "External" else "STS.uri")
    ran.unlink(missing_ok=True)
    with pytest.raises(ConfigurationError, match=f"mode '{mode}', which is not supported"):
        both.ours(DefaultChain(), env, Blocking())
    assert not ran.exists()


def test_the_library_takes_other_credentials_where_a_way_fails_and_we_say_so(
    both: Both, services: Recorder, tmp_path: Path
) -> None:
    env = arrange(tmp_path, services, "OIDC", "URI") | {"ALIBABA_CLOUD_ROLE_ARN": f"{ROLE}-refused"}
    answer, _ = both.theirs(env)
    assert answer["access_key_id"] == "STS.uri"
    with pytest.raises(AuthenticationError, match=r"EntityNotExist\.Role"):
        both.ours(DefaultChain(), env, Blocking())


def test_the_library_asks_metadata_without_a_token_and_we_do_not(
    both: Both, services: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "token", None)
    here, there = led_to_metadata(services)
    env = arrange(tmp_path, services, "metadata")
    answer, _ = both.theirs({**env, **there})
    assert answer["access_key_id"] == "STS.metadata-the-role"
    with pytest.raises(AuthenticationError, match="none of the places"):
        both.ours(DefaultChain(), {**env, **here}, Blocking())
    allowed = {"ALIBABA_CLOUD_IMDSV1_DISABLED": "false"}
    assert both.ours(DefaultChain(), {**env, **here, **allowed}, Blocking())[0] == answer
