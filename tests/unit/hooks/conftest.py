"""The services that hand out credentials, in front of an emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_aegis.emulator import Emulator
from tests.unit.client.credentials_services import CredentialsServices, serve


@pytest.fixture
def services(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialsServices]:
    with serve(sas, monkeypatch) as services:
        yield services
