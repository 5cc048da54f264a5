"""Every auth_type from the connection to an answer of Security Center, by way of the services that hand out keys."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.auth import AUTH_TYPES
from tests.fakes import revealed
from tests.unit.client.credentials_services import BASE, OIDC_TOKEN, ROLE, CredentialsServices, rpc_signature
from tests.unit.hooks.connections import connect, extras, role

VECTORS = Path(__file__).parents[2] / "conformance" / "signing_vectors.json"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(OIDC_TOKEN)
    return path


def test_the_signer_that_checks_sts_requests_is_right() -> None:
    vectors = json.loads(VECTORS.read_text())["v1_rpc"]
    assert vectors
    for vector in vectors:
        given = vector["input"]
        expected = next(value for name, value in vector["expected"].items() if name.lower() == "signature")
        assert rpc_signature(given["access_key_secret"], given["method"], given["params"]) == expected


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
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", masked.append, raising=False)
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
    seen = f"{message} {caplog.text} {hook.service!r}"
    for secret in [*masked, BASE.access_key_secret.reveal()]:
        assert secret not in seen


@pytest.mark.parametrize("with_base", [True, False], ids=["environment", "role by the environment's keys"])
def test_the_default_chain_takes_the_environments_keys(
    with_base: bool, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alibabacloud_credentials.utils import auth_util

    monkeypatch.setattr(auth_util, "environment_access_key_id", BASE.access_key_id)  # it reads them at import
    monkeypatch.setattr(auth_util, "environment_access_key_secret", BASE.access_key_secret.reveal())
    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")
    sas.add_key(BASE.access_key_id, BASE.access_key_secret.reveal())
    extra = {"auth_type": "default"} if with_base else {"auth_type": "ram_role_arn", "role_arn": ROLE}
    hook = connect(monkeypatch, sas, extra)
    good, message = hook.test_connection()
    assert good, message
    assert (BASE.access_key_id in message) == with_base


def test_the_default_chain_is_made_anew_whenever_keys_are_fetched(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold on to what was replaced long ago in the places where it looks."""
    from alibabacloud_credentials.utils import auth_util

    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")
    credentials = connect(monkeypatch, sas, {"auth_type": "default"}).service.credentials
    refused: Credentials | None = None
    for number in range(3):
        monkeypatch.setattr(auth_util, "environment_access_key_id", f"LTAI-{number}")
        monkeypatch.setattr(auth_util, "environment_access_key_secret", "a-secret")
        keys = credentials.get(refused=refused)
        assert keys.access_key_id == f"LTAI-{number}"
        refused = keys


@pytest.mark.parametrize("auth_type", ["ecs_ram_role", "default"])
def test_instance_metadata_is_asked_by_no_thread_of_the_library(
    auth_type: str, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from alibabacloud_credentials.utils import auth_constant

    monkeypatch.setattr(auth_constant, "HOME", str(tmp_path))
    good, message = connect(monkeypatch, sas, {"auth_type": auth_type}).test_connection()
    assert good, message
    assert services.handed_out[0].access_key_id in message
    assert not [thread for thread in threading.enumerate() if "APScheduler" in thread.name]


def test_a_role_is_assumed_as_the_connection_says(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = '{"Version": "1", "Statement": [{"Sid": "read it all", "Effect": "Allow", "Action": "*"}]}'
    more = {"role_session_name": "mine", "role_session_expiration": 900, "external_id": "ext", "policy": policy}
    with role(monkeypatch, sas, **more) as hook:
        hook.get_last_once_task_info(once_task_type="VUL_CHECK_TASK")
    (asked,) = services.asked
    assert (asked["RoleSessionName"], asked["DurationSeconds"], asked["ExternalId"]) == ("mine", "900", "ext")
    assert " " not in asked["Policy"]
    assert json.loads(asked["Policy"]) == json.loads(policy)


IMPORT = """
import logging
from airflow_provider_aegis.client.vendor_library import load_library
load_library()
for name in ("credentials", "alibabacloud-tea"):
    logger = logging.getLogger(name)
    print(len(logger.handlers), logger.level)
"""


def test_the_librarys_import_leaves_logging_as_it_was() -> None:
    printed = subprocess.check_output([sys.executable, "-W", "ignore", "-c", IMPORT], text=True)
    assert printed.split() == ["0", "0"] * 2


def test_every_auth_type_is_tested_here() -> None:
    vendors = {"ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri", "default"}
    assert set(AUTH_TYPES) == {"access_key", "sts", *vendors}
