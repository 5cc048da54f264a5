"""The vendor's library and STS SDK, unpatched: same environment, files and servers, same credentials and requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.credentials.base import EMULATOR, StaticCredentials
from airflow_provider_aegis.client.credentials.default_chain import DefaultChain
from airflow_provider_aegis.client.credentials.instance_metadata import InstanceMetadata
from airflow_provider_aegis.client.credentials.sts import AssumeRole, AssumeRoleWithOIDC
from airflow_provider_aegis.client.credentials.uri import CredentialsUri, check_uri
from airflow_provider_aegis.client.protocol.signing import Credentials, authorization, canonical_query, sha256_hex
from tests.conformance.both import Both, led_to_metadata, what
from tests.conformance.recorder import Asked, Recorder
from tests.unit.client.transport.drivers import Driver

pytest.importorskip("alibabacloud_credentials")
pytest.importorskip("alibabacloud_sts20150401")

# The SDK takes the time of day in a way that Python 3.12 and later warn of.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

AK = {"access_key_id": "LTAI-id", "access_key_secret": "its-secret"}
BASE = Credentials(AK["access_key_id"], AK["access_key_secret"])
ROLE, PROVIDER = "acs:ram::1:role/r", "acs:ram::1:oidc-provider/p"
POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "a+b~*/扫描", "Resource": "*"}]}'


# AssumeRole, against the STS SDK


@pytest.mark.parametrize("token", [None, "CAIS+/token=="])
@pytest.mark.parametrize(
    "more", [{}, {"policy": POLICY, "external_id": "a=b/c+d", "duration_seconds": 900}], ids=["plain", "all of it"]
)
def test_a_role_is_assumed_as_the_sts_sdk_does(
    both: Both, driver: Driver, services: Recorder, token: str | None, more: dict[str, Any]
) -> None:
    from alibabacloud_sts20150401 import models
    from alibabacloud_sts20150401.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    known = {"role_arn": ROLE, "role_session_name": "mine", "duration_seconds": 3600, **more}
    client = Client(Config(**AK, security_token=token, endpoint=services.address, protocol="http"))
    services.take()
    body = client.assume_role(models.AssumeRoleRequest(**known)).body.to_map()
    (theirs,) = services.take()
    base = StaticCredentials(Credentials(BASE.access_key_id, BASE.access_key_secret, token))
    found, (ours,) = both.ours(AssumeRole(base=base, **known), {EMULATOR: services.address}, driver)
    assert found["access_key_id"] == body["Credentials"]["AccessKeyId"]
    assert found["security_token"] == body["Credentials"]["SecurityToken"]
    for name in ("method", "host", "path", "query", "form"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("x-acs-action", "x-acs-version", "x-acs-content-sha256", "x-acs-security-token"):
        assert ours.headers.get(name) == theirs.headers.get(name), name
    for asked in (ours, theirs):  # each is signed by the same rule, over the headers that it names
        signed = asked.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert asked.headers["authorization"] == authorization(
            method=asked.method,
            query=canonical_query(asked.query),
            headers={name: asked.headers[name] for name in signed},
            payload_hash=sha256_hex(b""),
            credentials=base.credentials,
        )
        assert {name for name in asked.headers if name.startswith("x-acs-")} | {"host"} <= set(signed)


# The other sources, against the library


@pytest.mark.parametrize("policy", [None, "{}"])
def test_a_token_is_sent_as_a_form_with_the_librarys_parameters(
    both: Both, driver: Driver, tmp_path: Path, policy: str | None
) -> None:
    token = tmp_path / "token"
    token.write_text("eyJ.token")
    known: dict[str, Any] = {"role_arn": ROLE, "oidc_provider_arn": PROVIDER, "policy": policy}
    known["role_session_name"] = "mine"
    answer, (theirs,) = both.theirs({}, "OIDCRoleArnCredentialsProvider", oidc_token_file_path=str(token), **known)
    found, (ours,) = both.ours(AssumeRoleWithOIDC(oidc_token_file=str(token), **known), {}, driver)
    assert found == answer
    assert (ours.host, ours.params) == (theirs.host, theirs.params)
    assert (ours.method, theirs.method) == ("POST", "GET"), "the library has the token in the address"
    assert ours.form == ours.params
    assert ours.headers["content-type"] == "application/x-www-form-urlencoded"
    assert ours.query.keys() == {"Action", "Format", "Timestamp", "Version"}
    assert {name: ours.query[name] for name in ("Action", "Format", "Version")} == {
        name: theirs.query[name] for name in ("Action", "Format", "Version")
    }
    assert "authorization" not in ours.headers


@pytest.mark.parametrize("role_name", [None, "known"])
def test_instance_metadata_is_asked_as_the_library_does_but_with_one_token(
    both: Both, driver: Driver, services: Recorder, role_name: str | None
) -> None:
    proxy = {"HTTP_PROXY": f"http://{services.address}"}
    answer, theirs = both.theirs(proxy, "EcsRamRoleCredentialsProvider", role_name=role_name)
    found, ours = both.ours(InstanceMetadata(role_name), {EMULATOR: services.address}, driver)
    assert found == answer

    def steps(asked: list[Asked]) -> list[tuple[str, str, dict[str, str]]]:
        return [
            (one.method, one.path, {name: text for name, text in one.headers.items() if name.startswith("x-aliyun")})
            for one in asked
        ]

    wanted = steps(theirs)
    assert steps(ours) == [one for number, one in enumerate(wanted) if one not in wanted[:number]]


def test_a_uri_is_asked_as_the_library_does(both: Both, driver: Driver, services: Recorder) -> None:
    address = f"http://{services.address}/keys?for=a%20b&c=%2F"
    answer, (theirs,) = both.theirs({}, "URLCredentialsProvider", uri=address)
    found, (ours,) = both.ours(CredentialsUri(check_uri(address, named="uri")), {}, driver)
    assert found == answer
    assert ours.host.partition(":")[0] == theirs.host, "the library leaves the port out"
    assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)


# Files

ASSUMED = {"ram_role_arn": ROLE, "ram_session_name": "mine", "policy": "{}", "external_id": "ext"}
PROFILES: dict[str, list[dict[str, Any]]] = {
    "AK": [{"mode": "AK", **AK}],
    "StsToken": [{"mode": "StsToken", **AK, "sts_token": "file-token"}],
    "RamRoleArn": [{"mode": "RamRoleArn", **AK, **ASSUMED, "expired_seconds": 900, "sts_region": "cn-hangzhou"}],
    "EcsRamRole": [{"mode": "EcsRamRole", "ram_role_name": "known"}],
    "OIDC": [
        {
            "mode": "OIDC",
            "ram_role_arn": ROLE,
            "oidc_provider_arn": PROVIDER,
            "oidc_token_file": "{home}/token",
            "role_session_name": "mine",
            "sts_region": "cn-beijing",
            "enable_vpc": True,
        }
    ],
    "ChainableRamRoleArn": [
        {"mode": "ChainableRamRoleArn", **ASSUMED, "source_profile": "b"},
        {"name": "b", "mode": "ChainableRamRoleArn", **ASSUMED, "ram_role_arn": f"{ROLE}2", "source_profile": "c"},
        {"name": "c", "mode": "StsToken", **AK, "sts_token": "file-token"},
    ],
}


def write_config(home: Path, profiles: list[dict[str, Any]], name: str = "default") -> None:
    text = json.dumps({"current": name, "profiles": [{"name": name, **profile} for profile in profiles]})
    (home / ".aliyun").mkdir(exist_ok=True)
    (home / ".aliyun" / "config.json").write_text(text.replace("{home}", str(home)))
    (home / "token").write_text("eyJ.token")


def led(services: Recorder, mode: str) -> tuple[dict[str, str], dict[str, str]]:
    """What leads us, and the library, to instance metadata."""
    return led_to_metadata(services) if mode.lower() in ("ecsramrole", "ecs_ram_role") else ({}, {})


@pytest.mark.parametrize("mode", PROFILES)
def test_a_profile_of_the_command_line_tool_means_the_same(
    both: Both, driver: Driver, services: Recorder, tmp_path: Path, mode: str
) -> None:
    write_config(tmp_path, PROFILES[mode])
    here, there = led(services, mode)
    answer, theirs = both.theirs(there)
    found, ours = both.ours(DefaultChain(), here, driver)
    assert "error" not in answer
    assert found == answer
    if mode != "EcsRamRole":
        assert what(ours) == what(theirs)


SECTIONS = {
    "access_key": f"access_key_id={AK['access_key_id']}\naccess_key_secret = {AK['access_key_secret']} # a secret",
    "ram_role_arn": f'access_key_id=a\naccess_key_secret=b\nrole_arn={ROLE}\nrole_session_name=mine\npolicy={{"a":1}}',
    "oidc_role_arn": f"role_arn={ROLE}\noidc_provider_arn={PROVIDER}\noidc_token_file_path={{home}}/token\n"
    "role_session_name=mine",
    "ecs_ram_role": "role_name=known",
}


@pytest.mark.parametrize("kind", SECTIONS)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["usual place", "named by the environment"])
def test_a_section_of_the_credentials_file_means_the_same(
    both: Both, driver: Driver, services: Recorder, tmp_path: Path, kind: str, elsewhere: bool
) -> None:
    section = "mine" if elsewhere else "default"
    path = tmp_path / "file.ini" if elsewhere else tmp_path / ".alibabacloud" / "credentials.ini"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[{section}]\ntype={kind}\n{SECTIONS[kind].replace('{home}', str(tmp_path))}\n")
    (tmp_path / "token").write_text("eyJ.token")
    named = {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(path), "ALIBABA_CLOUD_PROFILE": section} if elsewhere else {}
    here, there = led(services, kind)
    answer, theirs = both.theirs({**named, **there})
    found, ours = both.ours(DefaultChain(), {**named, **here}, driver)
    assert "error" not in answer
    assert found == answer
    if kind != "ecs_ram_role":
        assert what(ours) == what(theirs)
