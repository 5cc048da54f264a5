"""The services that hand out keys, in front of an emulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from airflow_provider_aegis.emulator import Emulator

if TYPE_CHECKING:
    from tests.unit.client.credentials_services import CredentialsServices


@pytest.fixture
def services(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialsServices]:
    # Without the vendor's library the tests that import this are skipped, the others are not.
    from tests.unit.client.credentials_services import serve

    with serve(sas, monkeypatch) as services:
        yield services
