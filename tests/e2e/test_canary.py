"""No secret is anywhere but in the encrypted connection, whatever goes wrong, with everything logged that can be."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from airflow_provider_aegis.client.credentials.base import EMULATOR
from airflow_provider_aegis.emulator import Emulator
from tests.unit.client.credentials_services import BASE, serving

from .api import until
from .canary.canaries import Canaries
from .canary.dags.aegis_canary import AUTH_TYPES, BAD, DECOY, ECHOES, MODES
from .canary.haystack import Haystack, connections, database, files, found
from .canary.hostile import hostile
from .canary.life import ENDED, REFUSALS, SCANS, Life
from .canary.wiretap import Wiretap
from .stack import AirflowStack

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parent / "canary" / "dags"
FERNET_KEY = Fernet.generate_key().decode()
CANARIES = Canaries()
# A text that nobody masks, given away in every place that is searched.
GIVEN_AWAY = f"decoy-{secrets.token_hex(12)}/+="
# What is asked for at the services that hand out credentials.
ASKED = ("AssumeRole", "AssumeRoleWithOIDC", "/latest/api/token", "/keys")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """An Airflow that has been through all of it, and still runs."""
    folder = tmp_path_factory.mktemp("tokens")
    with Emulator(keys=CANARIES.keys(), seconds=3600, requests_per_second=0, running_limit=100) as sas:
        wiretap = Wiretap(sas)
        with serving(sas) as services, hostile() as peers:
            env = {
                "AIRFLOW__CORE__COMPRESS_SERIALIZED_DAGS": "True",
                "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "AIRFLOW__CORE__PARALLELISM": "20",
                "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
                EMULATOR: services.address,
                DECOY: GIVEN_AWAY,
                "ALIBABA_CLOUD_ACCESS_KEY_ID": "key-chain",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": CANARIES.chain,
                "HOME": str(folder),
                "HTTPS_PROXY": peers.proxy_url(CANARIES.proxy),
            }
            with AirflowStack(DAGS, env=env) as stack:
                services.session = os.getsid(stack.pid("triggerer"))
                life = Life(stack, sas, services, CANARIES, wiretap, peers, folder)
                life.live()
                yield life


@pytest.fixture(scope="module")
def haystack(life: Life) -> Haystack:
    """Everything that was written down, the decoy too."""
    run = life.stack.trigger("canary_decoy", {"decoy": GIVEN_AWAY})
    life.stack.wait_task("canary_decoy", run, "decoy", "success")
    life.stack.wait_task("canary_decoy", run, "careless", "failed")
    until(lambda: GIVEN_AWAY in life.stack.log("canary_decoy", run, "deferred"), 30, lambda: "the decoy's trigger")
    time.sleep(1)  # for what the components have not written yet
    home = life.stack.home
    return {**files(home), **database(home / "airflow.db", FERNET_KEY), **life.ask()}


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"key": GIVEN_AWAY}),
        repr([GIVEN_AWAY]),
        quote(GIVEN_AWAY),
        quote(quote(GIVEN_AWAY, safe=""), safe=""),
        *(base64.b64encode(f"{'x' * before}{GIVEN_AWAY}yz".encode()).decode() for before in range(3)),
        base64.urlsafe_b64encode(GIVEN_AWAY.encode()).decode(),
        GIVEN_AWAY[: len(GIVEN_AWAY) // 2 + 1],
        GIVEN_AWAY[5:],
    ],
    # It is another one in each process.
    ids=["JSON", "repr", "quoted", "quoted twice", "base64", "base64 + 1", "base64 + 2", "URL base64", "half", "cut"],
)
def test_the_search_knows_the_ways_in_which_a_secret_may_be_written(written: str) -> None:
    assert found([GIVEN_AWAY], {"place": written})


def test_the_search_finds_what_is_given_away(haystack: Haystack) -> None:
    places = found([GIVEN_AWAY], haystack).keys()
    assert {
        "table trigger.kwargs",
        "table every trigger.kwargs",
        "table rendered_task_instance_fields.rendered_fields",
        "table serialized_dag.data_compressed",
        "table xcom.value",
        "table dag_run.conf",
        "api tasks",
        "api log canary_decoy.decoy 1",
        "api log canary_decoy.deferred 1",
        "file tracked/careless",
    } <= places
    assert [place for place in places if place.startswith("file logs/")]


def test_the_encrypted_connections_have_the_secrets(life: Life) -> None:
    inside = connections(life.stack.home / "airflow.db", FERNET_KEY)
    for secret in (CANARIES.access_key, CANARIES.sts, CANARIES.token, CANARIES.wrong, BASE.access_key_secret.reveal()):
        assert secret in inside


def test_no_secret_is_anywhere_else(life: Life, haystack: Haystack) -> None:
    assert len(life.secrets()) > 200
    places = found(life.secrets(), haystack)
    assert not places, "\n\n".join(f"{place}: {lines}" for place, lines in places.items())


def test_what_is_confidential_is_only_where_airflow_shows_connections(haystack: Haystack) -> None:
    assert found(CANARIES.confidential, haystack).keys() == {"api connections"}


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


@pytest.mark.parametrize("what", ASKED)
def test_workers_and_the_triggerer_each_asked_for_keys(what: str, life: Life) -> None:
    askers = {process for asked, process in life.services.callers if asked == what}
    assert askers & life.triggerer
    assert askers - life.triggerer - {0}, "0 is one that gave up before it was looked for"


def test_all_of_it_happened(life: Life, haystack: Haystack) -> None:
    logs = "\n".join(text for place, text in haystack.items() if place.startswith("api log"))
    codes = {line.code for line in life.sas.log}
    assert {"InvalidSecurityToken.Expired", "Throttling.User", "ServiceUnavailable", *REFUSALS.values()} <= codes
    for auth_type in (*AUTH_TYPES, *BAD):
        for mode in MODES:
            assert f"{auth_type}_{mode}" in haystack["api tasks"]
    assert "DEBUG" in haystack["file triggerer.log"].upper()
    assert haystack["table every trigger.kwargs"].count("once_task_id") >= SCANS / 2
    assert "payload" in haystack["table every task_instance.next_kwargs"]
    assert "error_class" in haystack["table every task_instance.next_kwargs"]
    for words in (
        "SignatureDoesNotMatch",
        "InvalidSecurityToken.Malformed",
        "'oidc_token_file'",
        "AuthenticationFail.OIDCToken.Invalid",
        "string to sign is: *** x-acs-security-token:***",
    ):
        assert words in logs, words
    assert re.search(r"AssumeRole: [^\n]*\(SignatureDoesNotMatch", logs)
    assert life.cancelled() == set(ENDED)


@pytest.mark.parametrize("mode", MODES)
def test_who_repeats_what_was_sent_was_asked_and_its_errors_were_tracked(
    mode: str, life: Life, haystack: Haystack
) -> None:
    assert f"Basic {base64.b64encode(f'user:{CANARIES.proxy}'.encode()).decode()}" in {
        request.headers["proxy-authorization"] for request in life.hostile.proxy.requests
    }
    assert "407" in haystack[f"api log canary_hostile.proxied_{mode} 1"]
    assert "'regoin' is not known" in haystack[f"api log canary_hostile.misspelt_{mode} 1"]
    asked = " ".join(request.target for request in life.hostile.endpoint.requests)
    for echo in ECHOES:
        assert f"TaskName={echo}&" in asked
        name = f"echo_{echo}_{mode}"
        assert ("file tracked/" + name in haystack) == (echo != "success")
    for name in ("echo_denied", "echo_request_id", "proxied", "misspelt"):
        assert "self = <Task(AegisOnceTaskSensor)" in haystack[f"file tracked/{name}_{mode}"]
    assert "***" in haystack[f"api log canary_hostile.echo_denied_{mode} 1"]
