"""Whatever a file has in it, the default chain finds credentials, passes it over, or says what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_aegis.client.credentials import default_chain
from airflow_provider_aegis.client.credentials.base import Source
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.commands import Content
from tests.fakes import patiently

SECRET = "secretly-secretly"
MODES = ("AK", "StsToken", "RamRoleArn", "ChainableRamRoleArn", "EcsRamRole", "OIDC", "External", "CloudSSO", "", None)
SHOWN = (
    *("access_key_id", "ram_role_arn", "ram_session_name", "source_profile", "expired_seconds", "sts_region"),
    *("enable_vpc", "ram_role_name", "oidc_provider_arn", "oidc_token_file", "role_session_name"),
)
SECRETS = ("access_key_secret", "sts_token", "policy", "external_id")
odd = st.sampled_from(("", "a", "b", None, True, 0, -1, 1e308, "\x00", "é"))
values = st.one_of(odd, st.lists(st.none()), st.text())
profiles = st.fixed_dictionaries(
    {"name": st.sampled_from(("a", "b", "", None)), "mode": st.sampled_from(MODES)},
    optional=dict.fromkeys(SHOWN, values) | dict.fromkeys(SECRETS, st.one_of(values, st.just(SECRET))),
)
configs = st.fixed_dictionaries({"current": st.one_of(st.just("a"), values), "profiles": st.lists(profiles)})


def read(kind: str, content: bytes) -> Source | None:
    reader = {"json": default_chain._read_config, "ini": default_chain._read_ini}[kind]
    try:
        return default_chain._read(reader, Content(content), f"/home/of/{kind}")
    except ConfigurationError as caught:
        error = caught
    assert str(error).startswith(f"/home/of/{kind}")
    assert SECRET not in str(error)
    assert error.__context__ is None
    return None


@given(configs)
@patiently
def test_every_profile_is_read_or_named(config: Any) -> None:
    assert SECRET not in repr(read("json", json.dumps(config).encode()))


@given(st.binary())
@example(b"[default]\ntype=access_key\naccess_key_id=a\naccess_key_secret=" + SECRET.encode())
@example(b"\xff\xfe[")
@patiently
def test_every_file_is_read_or_named(content: bytes) -> None:
    for kind in ("json", "ini"):
        assert SECRET not in repr(read(kind, content))
