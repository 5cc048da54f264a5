"""What Airflow discovers, valid against Airflow's own schemas."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import jsonschema
import pytest

from airflow_provider_aegis import __version__
from airflow_provider_aegis.get_provider_info import get_provider_info


def schema(name: str) -> dict[str, Any]:
    text = files("airflow").joinpath(name).read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_it_is_valid_for_airflow_at_run_time() -> None:
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))


@pytest.mark.parametrize(
    "part", ["connection-types", "hooks", "operators", "sensors", "triggers", "integrations", "cli"]
)
def test_its_parts_are_valid_against_the_stricter_schema(part: str) -> None:
    strict = schema("provider.yaml.schema.json")
    if part == "connection-types" and "conn-fields" not in json.dumps(strict):
        pytest.skip("this Airflow does not know conn-fields")
    if part not in strict["properties"]:
        pytest.skip(f"this Airflow does not know {part}")
    rules = {
        **strict["properties"][part],
        "definitions": strict.get("definitions", {}),
        "$defs": strict.get("$defs", {}),
    }
    jsonschema.validate(get_provider_info()[part], rules)


def test_everything_it_names_exists() -> None:
    info = get_provider_info()
    for part in ("hooks", "operators", "sensors", "triggers"):
        for module in info[part][0]["python-modules"]:
            assert find_spec(module), module
    for path in [*info["extra-links"], info["connection-types"][0]["hook-class-name"]]:
        module, _, name = path.rpartition(".")
        assert hasattr(import_module(module), name), path


def test_airflow_finds_it_by_its_entry_point() -> None:
    (entry,) = (one for one in entry_points(group="apache_airflow_provider") if "aegis" in one.value)
    info = entry.load()()
    assert info["package-name"] == "airflow-provider-aegis"
    assert info["versions"] == [__version__]


def test_asking_for_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from airflow_provider_aegis.get_provider_info import get_provider_info; get_provider_info();"
        "print([name for name in ('airflow', 'requests', 'aiohttp', 'pendulum') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
