"""DefectDojo: its importer takes every finding, and each says whether it is open, fixed or accepted."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.defectdojo import shape
from airflow_provider_aegis.findings.ocsf import MAPPINGS
from tests.unit.findings.sample import SAMPLES, alert, baseline_check, vulnerability

EXPORTED = 1_764_000_000_000
# Of django-DefectDojo, dojo/tools/generic/json_parser.py: any other key makes it refuse the file.
REQUIRED = {"title", "severity", "description"}
ALLOWED = REQUIRED | {
    "active",
    "component_name",
    "component_version",
    "date",
    "endpoints",
    "is_mitigated",
    "mitigated",
    "mitigation",
    "risk_accepted",
    "tags",
    "unique_id_from_tool",
    "vuln_id_from_tool",
    "vulnerability_ids",
}


def finding(findings: str, record: dict[str, Any]) -> dict[str, Any]:
    made = shape(findings, EXPORTED)(record)
    assert REQUIRED <= made.keys() <= ALLOWED
    assert made["severity"] in ("Critical", "High", "Medium", "Low", "Info")
    assert made["title"]
    assert made["description"]
    return made


@pytest.mark.parametrize("findings", MAPPINGS)
def test_every_finding_has_keys_that_the_importer_knows(findings: str) -> None:
    made = finding(findings, SAMPLES[findings])
    assert made["active"]
    finding(findings, {})


def test_a_vulnerability() -> None:
    assert finding("vulnerabilities", vulnerability(3)) == {
        "title": "ALINUX3-SA-2026:0003: openssl security update",
        "severity": "High",
        "description": "- Name: `alilinux3:sa-3`\n- Type: `cve`\n- Urgency: `asap`\n- Resource: `web-3`\n"
        "- Resource id: `i-bp13`\n- Machine: `uuid-3`\n- Region: `cn-hangzhou`",
        "date": "2025-10-09",
        "active": True,
        "is_mitigated": False,
        "risk_accepted": False,
        "unique_id_from_tool": "/uuid-3/cve/alilinux3:sa-3",
        "tags": ["vulnerabilities", "asap", "cn-hangzhou"],
        "vuln_id_from_tool": "alilinux3:sa-3",
        "vulnerability_ids": ["CVE-2026-1003", "CVE-2026-2003"],
        "component_name": "openssl-libs",
        "component_version": "1:1.1.1k-9.el8",
        "mitigation": "yum update openssl-libs",
        "endpoints": [{"host": "10.0.0.3"}],
    }


@pytest.mark.parametrize(
    ("status", "active", "mitigated", "accepted"),
    [(1, True, False, False), (7, False, True, False), (10, False, False, True), (20, False, False, False)],
)
def test_the_state_of_a_finding(status: int, active: bool, mitigated: bool, accepted: bool) -> None:
    made = finding("vulnerabilities", vulnerability(Status=status))
    assert (made["active"], made["is_mitigated"], made["risk_accepted"]) == (active, mitigated, accepted)
    assert made.get("mitigated") == ("2025-11-23" if mitigated else None)


@pytest.mark.parametrize(("level", "severity"), [("serious", "Critical"), ("suspicious", "Medium"), ("remind", "Info")])
def test_the_severity_of_an_alert(level: str, severity: str) -> None:
    made = finding("alerts", alert(Level=level))
    assert made["severity"] == severity
    assert "A shell was connected to a socket." in made["description"]


def test_the_advice_on_a_check_is_its_mitigation() -> None:
    assert finding("baseline", baseline_check())["mitigation"].startswith("Set ClientAliveInterval")


def test_texts_are_as_long_as_the_database_holds_and_keys_stay_apart() -> None:
    packages = {"RpmEntityList": [{"Name": "n" * 900, "FullVersion": "v" * 900}]}
    record = vulnerability(AliasName="a" * 900, ExtendContentJson=packages)
    made, other = (finding("vulnerabilities", {**record, "Name": "n" * 900 + end}) for end in ("1", "2"))
    for name, longest in (
        ("title", 511),
        ("vuln_id_from_tool", 500),
        ("component_name", 500),
        ("component_version", 100),
    ):
        assert len(made[name]) <= longest
    assert made["unique_id_from_tool"] != other["unique_id_from_tool"]
    assert len(made["unique_id_from_tool"]) <= 500


def test_a_name_is_shown_as_it_is_and_not_as_markdown() -> None:
    made = finding("vulnerabilities", vulnerability(Name="`<img src=x>`\n# [a](http://evil)"))
    assert "- Name: `'<img src=x>' # [a](http://evil)`\n" in made["description"]


@pytest.mark.parametrize("time", [None, "soon", 2**62])
def test_without_a_time_that_a_calendar_has_there_is_a_date_all_the_same(time: object) -> None:
    date = finding("vulnerabilities", vulnerability(FirstTs=time))["date"]
    assert date == ("1970-01-01" if time == 2**62 else "2025-11-24")


@pytest.mark.parametrize("findings", ["assets", "exposures"])
def test_a_set_that_has_no_findings_is_refused(findings: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be given to DefectDojo"):
        shape(findings, EXPORTED)
