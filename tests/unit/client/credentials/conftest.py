from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_aegis.client.credentials.base import EMULATOR


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine that runs the tests may have credentials of its own."""
    for name in [name for name in os.environ if name.startswith("ALIBABA_CLOUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv(EMULATOR, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
