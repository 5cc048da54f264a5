"""Connections of each auth_type to an emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook
from tests.unit.client.credentials_services import BASE, OIDC, ROLE, CredentialsServices

CONN = "AIRFLOW_CONN_AEGIS_DEFAULT"


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
    conn |= {"login": keys.access_key_id, "password": keys.access_key_secret.reveal()} if keys else {}
    monkeypatch.setenv(CONN, json.dumps(conn))
    return AegisHook()


def role(monkeypatch: pytest.MonkeyPatch, sas: Emulator, **extra: Any) -> AegisHook:
    return connect(monkeypatch, sas, {"auth_type": "ram_role_arn", "role_arn": ROLE, **extra}, BASE)
