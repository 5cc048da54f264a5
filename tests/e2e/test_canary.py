"""No secret is anywhere but in the encrypted connection, whatever goes wrong, with everything logged that can be."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.emulator.messages import Received, Request
from tests import leading
from tests.unit.client.credentials_services import BASE, serving

from .api import until
from .canary.dags.aegis_canary import AUTH_TYPES, BAD
from .canary.haystack import Haystack, connections, database, files, found
from .canary.life import Canaries, Life
from .stack import AirflowStack

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parent / "canary" / "dags"
FERNET_KEY = Fernet.generate_key().decode()
CANARIES = Canaries()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """An Airflow that has been through all of it, and still runs."""
    folder = tmp_path_factory.mktemp("tokens")
    with Emulator(keys=CANARIES.keys(), seconds=3600, requests_per_second=0, running_limit=100) as sas:
        authorizations = record(sas)
        with serving(sas) as services:
            env = {
                "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "AIRFLOW__CORE__PARALLELISM": "10",
                "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
                leading.PORT: str(services.port),
                "ALIBABA_CLOUD_ACCESS_KEY_ID": "key-chain",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": CANARIES.chain,
                "HOME": str(folder),
            }
            with AirflowStack(DAGS, env=env, preload=[leading.__name__]) as stack:
                life = Life(stack, sas, services, CANARIES, authorizations)
                life.live(CANARIES.connections(sas, services, folder))
                yield life


def record(sas: Emulator) -> list[str]:
    """Keep every Authorization header that the emulator is sent from now on."""
    kept: list[str] = []
    arrive = sas._center.arrive

    def recording(request: Request) -> tuple[Received, object]:
        kept.extend(filter(None, [request.headers.get("authorization")]))
        return arrive(request)

    sas._center.arrive = recording  # type: ignore[assignment, method-assign]
    return kept


@pytest.fixture(scope="module")
def decoy(life: Life) -> str:
    """A text that nobody masks, given away in every place that is searched."""
    text = f"decoy-{secrets.token_hex(12)}/+="
    run = life.stack.trigger("canary_decoy", {"decoy": text})
    life.stack.wait_task("canary_decoy", run, "decoy", "success")
    life.stack.wait_task("canary_decoy", run, "deferred", "deferred")
    until(lambda: text in life.stack.log("canary_decoy", run, "deferred"), 30, lambda: "the decoy's trigger")
    return text


@pytest.fixture(scope="module")
def haystack(life: Life, decoy: str) -> Haystack:
    """Everything that was written down."""
    time.sleep(1)  # for what the components have not written yet
    home = life.stack.home
    return {**files(home), **database(home / "airflow.db", FERNET_KEY), **life.ask()}


def test_the_search_finds_what_is_given_away(haystack: Haystack, decoy: str) -> None:
    places = found([decoy], haystack).keys()
    assert {
        "table trigger.kwargs",
        "table rendered_task_instance_fields.rendered_fields",
        "table xcom.value",
        "table dag_run.conf",
        "api tasks",
        "api log canary_decoy.decoy 1",
        "api log canary_decoy.deferred 1",
    } <= places
    assert [place for place in places if place.startswith("file logs/")]


def test_the_encrypted_connections_have_the_secrets(life: Life) -> None:
    inside = connections(life.stack.home / "airflow.db", FERNET_KEY)
    for secret in (CANARIES.access_key, CANARIES.sts, CANARIES.token, CANARIES.wrong, BASE.access_key_secret):
        assert secret in inside


def test_no_secret_is_anywhere_else(life: Life, haystack: Haystack) -> None:
    assert len(life.secrets()) > 200
    places = found(life.secrets(), haystack)
    assert not places, "\n\n".join(f"{place}: {lines}" for place, lines in places.items())


@pytest.fixture(scope="module")
def told(life: Life, haystack: Haystack) -> str:
    """A run that logs keys; after the search, as the scheduler's copy of task logs knows no masks in Airflow 3.3.2."""
    return life.tell()


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
def test_airflow_masks_what_a_careless_program_logs(auth_type: str, life: Life, told: str) -> None:
    token = "None" if auth_type in ("access_key", "default") else "***"
    for who, words in (("worker", "the task has"), ("triggerer", "the trigger has")):
        log = life.stack.log("canary_told", told, f"{auth_type}_{who}")
        assert f"{words} secret=*** token={token}" in log


def test_all_of_it_happened(life: Life, haystack: Haystack) -> None:
    services, logs = life.services, "\n".join(text for place, text in haystack.items() if place.startswith("api log"))
    # Workers are a process for each task; the triggerer is one, and asked once before and once after the keys expired.
    for action in ("AssumeRole", "AssumeRoleWithOIDC", "/keys", "/latest/api/token"):
        assert services.requests[action] > 4, action
    codes = {line.code for line in life.sas.log}
    assert {"InvalidSecurityToken.Expired", "Throttling.User", "ServiceUnavailable", "SignatureDoesNotMatch"} <= codes
    for auth_type in (*AUTH_TYPES, *BAD):
        for mode in ("poke", "deferrable"):
            assert f"{auth_type}_{mode}" in haystack["api tasks"]
    assert "DEBUG" in haystack["file triggerer.log"].upper()
    for words in (
        "SignatureDoesNotMatch",
        "InvalidSecurityToken.Malformed",
        "AssumeRole: SignatureDoesNotMatch",
        "'oidc_token_file'",
        "AuthenticationFail.OIDCToken.Invalid",
        "string to sign is: *** x-acs-security-token:***",
    ):
        assert words in logs, words
    assert len(life.sas.cancelled) == 2
