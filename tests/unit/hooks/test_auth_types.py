"""Every auth_type from the connection to an answer of Security Center, by way of the services that hand out keys."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client import once_task
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    PermissionDeniedError,
    UnreachableError,
)
from airflow_provider_aegis.client.exchange import Authenticate, Conversation, exchange
from airflow_provider_aegis.client.pace import Pace
from airflow_provider_aegis.client.service import Service
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from airflow_provider_aegis.client.watch import Outcome, watch
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.hooks.auth import AUTH_TYPES
from tests.unit.client.credentials_services import (
    BASE,
    OIDC,
    OIDC_TOKEN,
    ROLE,
    CredentialsServices,
    refusal,
    rpc_signature,
    serve,
)
from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking

CONN = "AIRFLOW_CONN_AEGIS_DEFAULT"
VECTORS = Path(__file__).parents[2] / "conformance" / "signing_vectors.json"
READ = once_task.get_last_once_task_info(once_task_type="ASSETS_COLLECTION")


@pytest.fixture
def services(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialsServices]:
    with serve(sas, monkeypatch) as services:
        yield services


@pytest.fixture(params=[Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
def driver(request: pytest.FixtureRequest) -> Driver:
    driver: Driver = request.param
    return driver


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(OIDC_TOKEN)
    return path


def extras(auth_type: str, services: CredentialsServices, token_file: Path) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "ram_role_arn": {"role_arn": ROLE},
        "oidc_role_arn": {"role_arn": ROLE, "oidc_provider_arn": OIDC, "oidc_token_file": str(token_file)},
        "ecs_ram_role": {},
        "credentials_uri": {"credentials_uri": services.uri},
    }
    return {"auth_type": auth_type, **more[auth_type]}


def connect(
    monkeypatch: pytest.MonkeyPatch, sas: Emulator, extra: dict[str, Any], keys: Credentials | None = None
) -> AegisHook:
    conn = {"conn_type": "aegis", "host": sas.url, "extra": {"max_requests_per_second": 100, **extra}}
    conn |= {"login": keys.access_key_id, "password": keys.access_key_secret} if keys else {}
    monkeypatch.setenv(CONN, json.dumps(conn))
    return AegisHook()


def role(monkeypatch: pytest.MonkeyPatch, sas: Emulator, **extra: Any) -> AegisHook:
    return connect(monkeypatch, sas, {"auth_type": "ram_role_arn", "role_arn": ROLE, **extra}, BASE)


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
    assert {handed_out.access_key_secret, handed_out.security_token} <= set(masked)
    assert (OIDC_TOKEN in masked) == (auth_type == "oidc_role_arn")
    seen = f"{message} {caplog.text} {hook.service!r}"
    for secret in [*masked, BASE.access_key_secret]:
        assert secret not in seen


@pytest.mark.parametrize("with_base", [True, False], ids=["environment", "role by the environment's keys"])
def test_the_default_chain_takes_the_environments_keys(
    with_base: bool, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alibabacloud_credentials.utils import auth_util

    from airflow_provider_aegis.client import vendor_credentials

    monkeypatch.setattr(vendor_credentials, "_chain", vendor_credentials._Chain())
    monkeypatch.setattr(auth_util, "environment_access_key_id", BASE.access_key_id)  # it reads them at import
    monkeypatch.setattr(auth_util, "environment_access_key_secret", BASE.access_key_secret)
    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")
    sas.add_key(BASE.access_key_id, BASE.access_key_secret)
    extra = {"auth_type": "default"} if with_base else {"auth_type": "ram_role_arn", "role_arn": ROLE}
    hook = connect(monkeypatch, sas, extra)
    good, message = hook.test_connection()
    assert good, message
    assert (BASE.access_key_id in message) == with_base


def test_a_chain_without_keys_says_where_it_looked(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from alibabacloud_credentials.utils import auth_constant, auth_util

    from airflow_provider_aegis.client import vendor_credentials

    monkeypatch.setattr(vendor_credentials, "_chain", vendor_credentials._Chain())
    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")
    monkeypatch.setattr(auth_constant, "HOME", str(tmp_path))
    with pytest.raises(AuthenticationError, match=r"~/\.aliyun/config\.json"):
        connect(monkeypatch, sas, {"auth_type": "default"}).get_last_once_task_info(once_task_type="T")


def test_one_chain_and_one_thread_of_its_scheduler_for_the_process(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_aegis.client import vendor_credentials

    made: list[object] = []

    class Library:
        def DefaultCredentialsProvider(self) -> object:  # noqa: N802
            made.append(object())
            return made[-1]

    chain = vendor_credentials._Chain()
    keys = Credentials("id", "s")
    assert len({id(chain.get(Library(), None)) for _ in range(10)}) == 1
    assert len({id(chain.get(Library(), keys)) for _ in range(10)}) == 1
    chain.get(Library(), None)
    assert len(made) == 2
    before = threading.active_count()
    for _ in range(3):
        vendor_credentials.VendorSource(auth_type="ecs_ram_role").fetch(None)
    assert threading.active_count() <= before + 3  # the fixture's own, for each connection
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


def test_a_session_of_900_seconds_is_fetched_once(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.life = 900
    for _ in range(3):  # three tasks of one process
        with role(monkeypatch, sas, role_session_expiration=900) as hook:
            for _ in range(3):
                hook.get_last_once_task_info(once_task_type="VUL_CHECK_TASK")
    assert services.requests["AssumeRole"] == 1


def finish_later(sas: Emulator, seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, lambda: sas.finish(sas.started[0]))
    timer.start()
    return timer


def waiting(sas: Emulator, service: Service) -> Conversation[Outcome]:
    started = yield from exchange(service, once_task.generate_once_task(once_task_type="VUL_CHECK_TASK"))
    timer = finish_later(sas, 6)
    read = once_task.get_once_task_result_info(once_task_id=started["TaskId"], once_task_type="VUL_CHECK_TASK")
    ending = yield from watch(service, read, pace=Pace(0.1, 0.1))
    timer.join()
    return ending.outcome


def test_keys_expire_in_the_middle_of_a_wait_and_no_poll_is_lost(
    driver: Driver, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Really waits: keys of the library live by the machine's clock.
    services.life = 3
    service = role(monkeypatch, sas).service
    assert driver.perform(service, waiting(sas, service)) is Outcome.SUCCESS
    assert len(services.handed_out) >= 3
    assert [line.code for line in sas.log if line.code] == []


def test_keys_that_are_refused_are_replaced_in_the_middle_of_a_wait(
    driver: Driver, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = role(monkeypatch, sas).service

    def conversation() -> Conversation[None]:
        yield from exchange(service, READ)
        keys = services.handed_out[0]
        sas.add_key(keys.access_key_id, keys.access_key_secret, token=keys.security_token, seconds=0)
        yield from exchange(service, READ)
        yield from exchange(service, READ)

    driver.perform(service, conversation())
    assert services.requests["AssumeRole"] == 2


def test_a_wait_rides_out_that_no_keys_can_be_had_for_a_while(
    driver: Driver, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = role(monkeypatch, sas).service

    def conversation() -> Conversation[Outcome]:
        started = yield from exchange(service, once_task.generate_once_task(once_task_type="VUL_CHECK_TASK"))
        once_task_id = started["TaskId"]
        read = once_task.get_once_task_result_info(once_task_id=once_task_id, once_task_type="VUL_CHECK_TASK")
        keys = services.handed_out[0]
        sas.add_key(keys.access_key_id, keys.access_key_secret, token=keys.security_token, seconds=0)
        services.trouble = refusal(503, "ServiceUnavailable", "Come back later.")

        def heal() -> None:
            services.trouble = None
            sas.finish(once_task_id)

        timer = threading.Timer(0.5, heal)
        timer.start()
        ending = yield from watch(service, read, pace=Pace(0.05, 0.05))
        timer.join()
        return ending.outcome

    assert driver.perform(service, conversation()) is Outcome.SUCCESS
    assert services.requests["AssumeRole"] > 2


def test_200_triggers_on_one_connection_are_one_assume_role_and_no_stall(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    role(monkeypatch, sas).service.credentials.get()  # the import of the library is measured elsewhere
    services.requests.clear()
    stalls: list[float] = []

    def authenticate() -> Conversation[object]:
        return (yield Authenticate())

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(time.perf_counter() - before)

    async def run() -> set[object]:
        ticker = asyncio.create_task(tick())
        hook = role(monkeypatch, sas, role_session_name="another")
        service = await hook.aget_service()
        async with open_transport(service) as transport:
            found = await asyncio.gather(*(transport.perform(authenticate()) for _ in range(200)))
        ticker.cancel()
        return set(found)

    assert len(asyncio.run(run())) == 1
    assert services.requests["AssumeRole"] == 1
    assert max(stalls) < 0.2, "from there on Airflow's own watchdog warns"


def test_threads_on_one_connection_are_one_assume_role(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = role(monkeypatch, sas)
    service = hook.service
    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(lambda _: service.credentials.get(), range(200)))) == 1
    assert services.requests["AssumeRole"] == 1


@pytest.mark.parametrize(
    ("trouble", "error", "words"),
    [
        (refusal(503, "ServiceUnavailable", "Later."), UnreachableError, "Later"),
        (refusal(429, "Throttling.User", "Slower."), UnreachableError, "Slower"),
        (refusal(404, "EntityNotExist.Role", "No role."), AuthenticationError, "No role"),
        (refusal(403, "NoPermission", "No."), PermissionDeniedError, "Grant sts:AssumeRole"),
        ((200, "<html>"), UnreachableError, "no proper answer"),
        ((200, "[]"), AuthenticationError, "no keys"),
        ((200, '{"Credentials": {"AccessKeyId": "x", "AccessKeySecret": "leaked"}}'), AuthenticationError, "no keys"),
        ((200, '{"Credentials": {}}'), AuthenticationError, "no keys"),
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
        role(monkeypatch, sas).service.credentials.get()
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
    assert "AssumeRole: SignatureDoesNotMatch" in message
    assert "secret" not in f"{message.partition('Check')[0]} {caplog.text}"


def test_sts_that_is_not_there_is_unreachable(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = connect(
        monkeypatch, sas, {"auth_type": "credentials_uri", "credentials_uri": "http://127.0.0.1:1/keys?secret=x"}
    )
    with pytest.raises(UnreachableError) as caught:
        hook.service.credentials.get()
    assert "secret" not in str(caught.value)


def test_a_token_file_that_cannot_be_read_is_named(
    sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hook = connect(monkeypatch, sas, extras("oidc_role_arn", services, tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"'oidc_token_file'.*No such file"):
        hook.service.credentials.get()


@pytest.mark.parametrize(
    ("version", "words"), [(None, "needs the package"), ("0.3.2", "1.0.9, and 0.3.2 is here"), ("1.0.8", "1.0.8")]
)
def test_without_the_library_the_error_says_what_to_install(
    version: str | None, words: str, sas: Emulator, services: CredentialsServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    hook = role(monkeypatch, sas)
    service = hook.service  # the connection can be read
    monkeypatch.setattr(metadata, "version", look_up)
    with pytest.raises(ConfigurationError, match=rf"{words}.*pip install 'airflow-provider-aegis\[ram\]'"):
        service.credentials.get()


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
