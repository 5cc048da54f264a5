"""What is published: the package with its types, its licence, its entry point and its examples, and no tests."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from airflow_provider_aegis import __version__

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.name for path in (ROOT / "example_dags").glob("*.py")}


def build(target: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(folder.glob("airflow_provider_aegis-*"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the source distribution unpacks to."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(build("sdist", ROOT, folder / "dist")) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"airflow_provider_aegis-{__version__}"


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel as the source distribution makes it: whatever is missing there, is missing here."""
    return ZipFile(build("wheel", source, tmp_path_factory.mktemp("wheel")))


def read(wheel: ZipFile, name: str) -> str:
    info = f"airflow_provider_aegis-{__version__}.dist-info"
    return wheel.read(f"{info}/{name}").decode()


def test_it_holds_the_package_and_its_examples_and_no_tests(wheel: ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"airflow_provider_aegis/py.typed", "airflow_provider_aegis/emulator/__main__.py"} <= names
    assert {f"airflow_provider_aegis/example_dags/{name}" for name in EXAMPLES} <= names
    assert all(name.startswith("airflow_provider_aegis") for name in names)
    assert "Apache License" in read(wheel, "licenses/LICENSE")


def test_it_carries_its_sbom(wheel: ZipFile) -> None:
    name = "airflow-provider-aegis.cdx.json"
    assert read(wheel, f"sboms/{name}") == (ROOT / "docs" / name).read_text()


def test_airflow_finds_it(wheel: ZipFile) -> None:
    assert read(wheel, "entry_points.txt").split() == [
        "[apache_airflow_provider]",
        *("provider_info", "=", "airflow_provider_aegis.get_provider_info:get_provider_info"),
        "[pytest11]",
        *("airflow_provider_aegis.testing", "=", "airflow_provider_aegis.testing"),
    ]


def test_it_needs_these_and_no_upper_bounds(wheel: ZipFile) -> None:
    metadata = Parser().parsestr(read(wheel, "METADATA"))
    assert metadata["Name"] == "airflow-provider-aegis"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Requires-Dist", [])) == {
        "aiohttp>=3.12.4",
        "apache-airflow>=2.11.0",
        "certifi>=2024.7.4",
        "pendulum>=3.0",
        "requests>=2.32.3",
        "urllib3>=2.2",
        "yarl>=1.17",
        "duckdb>=1.1; extra == 'diff'",
        "pyarrow>=18; extra == 'parquet'",
        "zstandard>=0.22; extra == 'zstd'",
    }
    assert set(metadata.get_all("Provides-Extra", [])) == {"ram", "diff", "parquet", "zstd"}, "ram is an empty alias"
