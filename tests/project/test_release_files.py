"""What a release needs beside the code: one address everywhere, pinned workflows, a changelog in form, the logo."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from airflow_provider_aegis.get_provider_info import REPOSITORY, get_provider_info

ROOT = Path(__file__).parents[2]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read_yaml(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_every_file_names_the_same_addresses() -> None:
    assert set(URLS) == {"Documentation", "Source", "Changelog", "Issues"}
    assert URLS["Source"] == REPOSITORY
    assert URLS["Changelog"].startswith(REPOSITORY)
    assert URLS["Issues"].startswith(REPOSITORY)
    registry = read_yaml(ROOT / ".airflow-registry.yaml")
    assert (registry["docs-url"], registry["source-url"]) == (URLS["Documentation"], REPOSITORY)
    site = (ROOT / "mkdocs.yml").read_text()
    assert f"site_url: {URLS['Documentation']}\n" in site
    assert f"link: {REPOSITORY}\n" in site


def test_the_logo_is_a_small_drawing_in_the_repository() -> None:
    (integration,) = get_provider_info()["integrations"]
    path = ROOT / integration["logo"].removeprefix(f"{REPOSITORY}/raw/main/")
    assert path.read_text().startswith("<svg ")
    assert path.stat().st_size < 4096
    assert read_yaml(ROOT / ".airflow-registry.yaml")["logo"] == integration["logo"]


def test_the_registry_file_lists_every_operator_sensor_and_hook() -> None:
    registry, info = read_yaml(ROOT / ".airflow-registry.yaml"), get_provider_info()
    for part in ("operators", "sensors", "hooks"):
        modules = [name for one in info[part] for name in one["python-modules"]]
        classes = {f"{name}.{cls}" for name in modules for cls in public_classes(name)}
        assert {one["module"] for one in registry[part]} == classes
    transfers = {
        f"{one['python-module']}.{cls}" for one in info["transfers"] for cls in public_classes(one["python-module"])
    }
    assert {one["module"] for one in registry["transfers"]} == transfers


def public_classes(module: str) -> list[str]:
    found = vars(import_module(module)).items()
    return [name for name, one in found if isinstance(one, type) and one.__module__ == module and name[0] != "_"]


def test_every_action_is_pinned_by_its_commit_and_says_which_version_that_is() -> None:
    uses = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert len(uses) > 5
    for line in uses:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line), line


def test_the_workflow_tests_each_airflow_and_python_that_the_policy_names() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text()
    policy = re.findall(r"^\| (Airflow|Python) ([\d.]+) \| 20\d\d-\d\d-\d\d \|", page, re.MULTILINE)
    matrix = read_yaml(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["matrix"]["strategy"]["matrix"]
    assert [version for what, version in policy if what == "Python"] == matrix["python"]
    assert [version for what, version in policy if what == "Airflow"] == [
        ".".join(version.split(".")[:2]) for version in matrix["airflow"]
    ]


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    headings = re.findall(r"^#+ .*$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    known = {"Added", "Behaviour changes", "Deprecated", "Removed", "Fixed", "Security"}
    assert headings[:2] == ["# Changelog", "## [Unreleased]"]
    for heading in headings[2:]:
        assert re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) or heading[4:] in known, heading
    assert "### Behaviour changes" in headings
