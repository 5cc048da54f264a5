"""One Airflow for all end-to-end tests, which takes longer to start than most of them to run, and one emulator."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_aegis.emulator import Emulator

from .demo import EXAMPLES
from .settings import CONNECTION, SECOND_CONNECTION
from .stack import AirflowStack


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The Security Center that the connection `aegis_default` leads to."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def second_account() -> Iterator[Emulator]:
    """The Security Center that the connection `aegis_second_account` leads to."""
    with Emulator(seconds=1) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def stack(
    emulator: Emulator, second_account: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    """A running Airflow with the DAGs of this folder and the examples."""
    env = {
        CONNECTION: emulator.connection_json(max_requests_per_second=50),
        SECOND_CONNECTION: second_account.connection_json(),
    }
    folder = tmp_path_factory.mktemp("dags")
    for source in (Path(__file__).parent / "dags", EXAMPLES):
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with AirflowStack(folder, env=env) as stack:
        yield stack


@pytest.fixture
def sas(emulator: Emulator) -> Iterator[Emulator]:
    """The emulator as if it had just been started, with room for many scans; nothing runs on it afterwards."""
    emulator.reset()
    emulator.set(requests_per_second=0, running_limit=100, seconds=3600)
    yield emulator
    emulator.heal()
    for once_task_id in emulator.running:
        emulator.finish(once_task_id)
