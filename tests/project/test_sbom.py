"""The SBOM that the wheel carries says what pyproject.toml says. Run as a module, this writes it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from packaging.requirements import Requirement

from airflow_provider_aegis import __version__

pytest.importorskip("cyclonedx", reason="the library for SBOMs is in the newest Airflow's environment alone")

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SBOM = ROOT / "docs" / f"{PROJECT['name']}.cdx.json"
PURL = PackageURL("pypi", name=PROJECT["name"], version=__version__)


def sbom() -> str:
    """The whole file: the same for the same pyproject.toml, whenever and wherever it is written."""
    needed = [*_needed()]
    bom = Bom(components=needed, serial_number=uuid5(NAMESPACE_URL, str(PURL)))
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.component = _itself()
    bom.metadata.lifecycles = [PredefinedLifecycle(LifecyclePhase.PRE_BUILD)]
    bom.metadata.properties = [Property(name="cdx:reproducible", value="true")]
    bom.register_dependency(bom.metadata.component, needed)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library says of each component that it needs nothing. What it needs is its own to declare.
    document["dependencies"] = [one for one in document["dependencies"] if "dependsOn" in one]
    document["compositions"] = [
        {"aggregate": "complete", "dependencies": [str(PURL)]},
        {"aggregate": "unknown", "dependencies": sorted(str(one.purl) for one in needed)},
    ]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _itself() -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=str(PURL),
        name=PROJECT["name"],
        version=__version__,
        description=PROJECT["description"],
        licenses=[DisjunctiveLicense(id=PROJECT["license"])],
        purl=PURL,
    )


def _needed() -> Iterator[Component]:
    for text in PROJECT["dependencies"]:
        yield _component(Requirement(text), ComponentScope.REQUIRED)
    for extra, texts in PROJECT["optional-dependencies"].items():
        for text in texts:
            yield _component(Requirement(text), ComponentScope.OPTIONAL, extra=extra)


def _component(requirement: Requirement, scope: ComponentScope, **more: str) -> Component:
    """What is needed, without a version: the environment has chosen one, or will, from the range."""
    purl = PackageURL("pypi", name=requirement.name)
    # As CycloneDX 1.7 writes a component's versionRange, for which 1.6 has no place.
    more["version-range"] = f"vers:pypi/{'|'.join(sorted(map(str, requirement.specifier)))}"
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        name=requirement.name,
        scope=scope,
        purl=purl,
        properties=[Property(name=f"{PROJECT['name']}:{name}", value=value) for name, value in more.items()],
    )


def test_the_sbom_is_current() -> None:
    assert SBOM.read_text() == sbom(), "run: python -m tests.project.test_sbom"


def test_the_sbom_is_valid() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(SBOM.read_text()) is None


def test_every_dependency_is_in_the_sbom_and_none_has_a_version() -> None:
    components = json.loads(SBOM.read_text())["components"]
    found = {one["name"]: one["scope"] for one in components}
    required = {Requirement(text).name: "required" for text in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"].values()
    assert found == required | {Requirement(text).name: "optional" for texts in extras for text in texts}
    assert not [one for one in components if "version" in one or "@" in one["purl"]]


if __name__ == "__main__":
    SBOM.write_text(sbom())
