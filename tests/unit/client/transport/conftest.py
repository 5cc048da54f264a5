from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking
from tests.unit.client.transport.loopback import Server, make_certificate


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may have proxies, a netrc and certificates of their own."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(params=[Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """One transport and then the other: what they promise is the same."""
    known: Driver = request.param
    return known


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def foreign_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for another host."""
    return make_certificate(tmp_path_factory.mktemp("foreign"), "other.example")
