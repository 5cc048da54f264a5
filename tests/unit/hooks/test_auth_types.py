"""Every auth_type from the connection to an answer of Security Center, by way of the services that hand out keys."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from airflow_provider_aegis.client.credentials.base import authenticate
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.auth import AUTH_TYPES
from tests.fakes import revealed
from tests.unit.client.credentials_services import BASE, OIDC_TOKEN, ROLE, CredentialsServices
from tests.unit.hooks.connections import connect, extras, role


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(OIDC_TOKEN)
    return path


@pytest.mark.parametrize("auth_type", ["ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri"])
def test_every_auth_type_gets_an_answer_and_its_secrets_are_masked(
    auth_type: str,
    sas: Emulator,
    services: CredentialsServices,
    token_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    masked: list[str] = []
    monkeypatch.setattr("airflow_provider_aegis.compat.mask_secret", masked.append, raising=False)
    keys = BASE if auth_type == "ram_role_arn" else None
    hook = connect(monkeypatch, sas, extras(auth_type, services, token_file), keys)
    with caplog.at_level(logging.DEBUG):
        good, message = hook.test_connection()
    assert good, message
    assert len(services.handed_out) == 1
    (handed_out,) = services.handed_out
    assert handed_out.access_key_id in message
    assert set(revealed(handed_out)[1:]) <= set(masked)
    assert (OIDC_TOKEN in masked) == (auth_type == "oidc_role_arn")
    seen = f"{message} {caplog.text} {hook.config!r}"
    for secret in [*masked, BASE.access_key_secret.reveal()]:
        assert secret not in seen


@pytest.mark.parametrize("with_base", [True, False], ids=["environment", "role by the environment's keys"])
def test_the_default_chain_takes_the_environments_keys(
    with_base: bool, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", BASE.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", BASE.access_key_secret.reveal())
    sas.add_key(BASE.access_key_id, BASE.access_key_secret.reveal())
    extra = {"auth_type": "default"} if with_base else {"auth_type": "ram_role_arn", "role_arn": ROLE}
    hook = connect(monkeypatch, sas, extra)
    good, message = hook.test_connection()
    assert good, message
    assert (BASE.access_key_id in message) == with_base


def test_the_default_chain_looks_again_whenever_credentials_are_fetched(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was replaced in the places where it looks is found."""
    hook = connect(monkeypatch, sas, {"auth_type": "default"})
    refused: Credentials | None = None
    for number in range(3):
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", f"LTAI-{number}")
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "a-secret")
        keys = hook.run_flow(authenticate(refused))
        assert keys.access_key_id == f"LTAI-{number}"
        refused = keys


@pytest.mark.parametrize("auth_type", ["ecs_ram_role", "default"])
def test_instance_metadata_is_asked_and_no_thread_started(
    auth_type: str, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    before = set(threading.enumerate())
    good, message = connect(monkeypatch, sas, {"auth_type": auth_type}).test_connection()
    assert good, message
    assert services.handed_out[0].access_key_id in message
    started = {thread.name for thread in set(threading.enumerate()) - before}
    assert not [name for name in started if "process_request_thread" not in name], "but for those of the services"


def test_a_role_is_assumed_as_the_connection_says(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = '{"Version": "1", "Statement": [{"Sid": "read it all", "Effect": "Allow", "Action": "*"}]}'
    more = {"role_session_name": "mine", "role_session_expiration": 900, "external_id": "ext", "policy": policy}
    with role(monkeypatch, sas, **more) as hook:
        hook.get_last_once_task_info(once_task_type="VUL_CHECK_TASK")
    (asked,) = services.asked
    assert (asked["RoleSessionName"], asked["DurationSeconds"], asked["ExternalId"]) == ("mine", "900", "ext")
    assert asked["Policy"] == policy


def test_every_auth_type_is_tested_here() -> None:
    fetched = {"ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri", "default"}
    assert set(AUTH_TYPES) == {"access_key", "sts", *fetched}
