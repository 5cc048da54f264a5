"""What the client may import: no Airflow anywhere, and nothing heavy where DAG files look."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

from airflow_provider_aegis import client

MODULES = [found.name for found in pkgutil.walk_packages(client.__path__, f"{client.__name__}.")]

REFUSE_AIRFLOW = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ImportError(f"{name} is not for the client")

sys.meta_path.insert(0, Refuse())
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_hook_refuses_airflow() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run(f"{REFUSE_AIRFLOW}import airflow")


def test_every_module_of_the_client_is_imported_without_airflow() -> None:
    assert f"{client.__name__}.transport.blocking" in MODULES
    run(f"{REFUSE_AIRFLOW}import {', '.join(MODULES)}")


@pytest.mark.parametrize("name", [name for name in MODULES if ".transport." not in name])
def test_only_the_transports_load_an_http_library(name: str) -> None:
    heavy = "requests aiohttp urllib3 yarl alibabacloud_credentials airflow"
    loaded = run(f"import sys, {name}; print(*[name for name in {heavy.split()} if name in sys.modules])")
    assert loaded.strip() == ""
