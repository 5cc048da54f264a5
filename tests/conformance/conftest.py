from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.both import Both
from tests.conformance.peer import Peer, peer
from tests.conformance.recorder import Recorder, recorder
from tests.unit.client.transport.drivers import Blocking, Driver, Nonblocking


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with recorder(tmp_path_factory.mktemp("services")) as running:
        yield running


@pytest.fixture(scope="session")
def vendor(services: Recorder) -> Iterator[Peer]:
    with peer(services.bundle) as running:
        yield running


@pytest.fixture(params=[Blocking(), Nonblocking()], ids=["blocking", "nonblocking"])
def driver(request: pytest.FixtureRequest) -> Driver:
    driver: Driver = request.param
    return driver


@pytest.fixture
def both(services: Recorder, vendor: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    return Both(services, vendor, tmp_path, monkeypatch)
