"""Our sources of credentials and the vendor's library, asked in the same environment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.credentials.base import EMULATOR, Source
from tests.conformance.peer import Peer
from tests.conformance.recorder import Asked, Recorder
from tests.fakes import revealed
from tests.unit.client.transport.drivers import Driver, service_at


class Both:
    """Asks in an environment without anything but a home and a proxy.

    Both reach STS through the proxy, by the names of its hosts. The library reaches instance metadata so as well. We go
    to that through no proxy, and have to be led there.
    """

    def __init__(self, services: Recorder, vendor: Peer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.services, self.vendor, self.home, self.monkeypatch = services, vendor, home, monkeypatch
        self.common = {"HOME": str(home), "HTTPS_PROXY": f"http://{services.address}"}

    def ours(self, source: Source, env: Mapping[str, str], driver: Driver) -> tuple[dict[str, Any], list[Asked]]:
        with self.monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("ALIBABA_CLOUD_") or "proxy" in name.lower()]:
                patch.delenv(name)
            for name, value in {**self.common, **env}.items():
                patch.setenv(name, value)
            config = service_at("http://127.0.0.1:1", ca_bundle=str(self.services.bundle))
            self.services.take()
            found = driver.run_flow(config, source.fetch(time)).credentials
        keys = dict(zip(("access_key_id", "access_key_secret", "security_token"), revealed(found), strict=True))
        return keys, self.services.take()

    def theirs(self, env: Mapping[str, str], *provider: str, **arguments: Any) -> tuple[dict[str, Any], list[Asked]]:
        self.services.take()
        answer = self.vendor.ask({**self.common, **env}, *provider, **arguments)
        return answer, self.services.take()


def what(asked: list[Asked]) -> list[tuple[str, str, dict[str, str]]]:
    """Say of requests which host was asked for what."""
    return [(one.host, one.action, one.params) for one in asked]


def led_to_metadata(services: Recorder) -> tuple[dict[str, str], dict[str, str]]:
    """What leads us, and the library, to instance metadata."""
    return {EMULATOR: services.address}, {"HTTP_PROXY": f"http://{services.address}"}
