"""What an error tracker finds of an error for want of credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from tests.captured import captured
from tests.fakes import READ, revealed
from tests.unit.client.credentials_services import BASE, METADATA_TOKEN, OIDC_TOKEN, CredentialsServices, refusal
from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking
from tests.unit.hooks.connections import connect, extras

SECRET, TOKEN = "handed-out-secret-1f", "handed-out-token-2e"
HANDED_OUT = {"AccessKeyId": "STS.id", "AccessKeySecret": SECRET, "SecurityToken": TOKEN}
IN_URI = "secret-of-the-uri-3d"
EXTERNAL_ID = "the-external-id-4c"
TROUBLES = {
    "refused": refusal(403, "NoPermission", "Not you: {request}"),
    "wrong signature": refusal(400, "SignatureDoesNotMatch", "string to sign is: {request}"),
    "unknown": refusal(404, "{request}", "{request}"),
    "failed": refusal(503, "ServiceUnavailable", "Later: {request}"),
    "HTML": (200, "<html>{request}</html>"),
    "odd": (200, json.dumps({"Code": "Success", "Credentials": {**HANDED_OUT, "AccessKeyId": "\n"}, **HANDED_OUT})),
    "no end": (200, json.dumps({"Code": "Success", "Credentials": HANDED_OUT, **HANDED_OUT})),
    "no token": (200, json.dumps({"Code": "Success", "AccessKeySecret": SECRET})),
}


@pytest.fixture(params=[Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
def driver(request: pytest.FixtureRequest) -> Driver:
    known: Driver = request.param
    return known


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_aegis.client.flows.exchange.FIRST_BACKOFF", 0.001)


def assert_bare(driver: Driver, hook: AegisHook, services: CredentialsServices) -> None:
    error = failure(driver, hook.config)
    seen = captured(error)
    handed_out = [text or "" for one in services.handed_out for text in revealed(one)[1:]]
    signatures = [one.rpartition("Signature=")[2] for one in services.authorizations if one]
    known = [OIDC_TOKEN, METADATA_TOKEN, IN_URI, EXTERNAL_ID, BASE.access_key_secret.reveal(), SECRET, TOKEN]
    for secret in [*known, *signatures, *handed_out]:
        assert secret not in seen


def failure(driver: Driver, config: ClientConfig) -> Exception:
    try:
        driver.run_flow(config, exchange(config, READ))
    except (SecurityCenterError, ConfigurationError) as error:
        return error
    raise AssertionError("there were credentials")


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=list(TROUBLES))
@pytest.mark.parametrize("auth_type", ["ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri"])
def test_an_error_for_want_of_credentials_shows_no_secret(
    driver: Driver,
    auth_type: str,
    trouble: tuple[int, str],
    sas: Emulator,
    services: CredentialsServices,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    services.trouble = trouble
    (tmp_path / "token").write_text(OIDC_TOKEN)
    extra = extras(auth_type, services, tmp_path / "token")
    if auth_type == "credentials_uri":
        extra["credentials_uri"] += f"&key={IN_URI}"
    if auth_type == "ram_role_arn":
        extra["external_id"] = EXTERNAL_ID
    assert_bare(driver, connect(monkeypatch, sas, extra, BASE if auth_type == "ram_role_arn" else None), services)
    assert services.asked


def test_credentials_in_an_answer_that_cannot_be_read_are_not_shown(
    driver: Driver, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = connect(monkeypatch, sas, {"auth_type": "ecs_ram_role", "role_name": "nonsense"})
    assert_bare(driver, hook, services)
    assert services.handed_out
