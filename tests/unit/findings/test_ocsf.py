"""OCSF: every event of every mapping is valid against the offline schema of 1.8.0, and nothing of a record is lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.findings.fields import FIELDS
from airflow_provider_aegis.findings.ocsf import CLOSE, MAPPINGS, UPDATE, Context, is_address, shape
from tests.unit.findings.sample import (
    SAMPLES,
    alert,
    baseline_check,
    cloud_check,
    image_vulnerability,
    virus_event,
    vulnerability,
)

EXPORTED = 1_764_000_000_000
CONTEXT = Context(exported_ms=EXPORTED, account="1001", once_task_id="task-1")
CLASSES = {2002: "vulnerability_finding", 2003: "compliance_finding", 2004: "detection_finding"}
JUNK: list[Any] = [
    {"RpmEntityList": [7, {"Name": [1], "FullVersion": {}}]},
    [{"CveId": 5}, {"TacticId": 0}],
    None,
    "",
    "²",
    "x" * 300,
    0,
    -1,
    2**60,
    True,
    1.5,
    [],
    {},
    "10.0.0.256",
    ["x"],
    {"a": [None]},
]


@cache
def validator(class_uid: int) -> Any:
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    schema = schemas.get_class_schema(CLASSES[class_uid], profiles=["cloud"])
    return jsonschema.validators.validator_for(schema)(schema)


def event(findings: str, record: dict[str, Any], activity_id: int = 1, context: Context = CONTEXT) -> dict[str, Any]:
    made = shape(findings, context)(record, activity_id)
    assert [f"{one.json_path}: {one.message}" for one in validator(made["class_uid"]).iter_errors(made)] == []
    return made


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield str(value)


@pytest.mark.parametrize("findings", MAPPINGS)
def test_an_event_is_valid_and_nothing_of_the_record_is_lost(findings: str) -> None:
    everywhere = {name: f"{name} of it" for name in ("RegionId", "InstanceId", "InternetIp", "Type", "Name")}
    record = {**everywhere, **SAMPLES[findings], ACCOUNT: "2002", "NewField": {"Deep": ["kept", 5]}}
    made = event(findings, record)
    assert set(leaves(record)) - set(leaves(made)) == set()
    assert made["unmapped"]["NewField"] == {"Deep": ["kept", 5]}
    assert made["metadata"]["tenant_uid"] == made["cloud"]["account"]["uid"] == "2002"


def test_every_set_of_findings_with_a_severity_has_a_mapping() -> None:
    assert set(MAPPINGS) == {name for name, fields in FIELDS.items() if fields.severities} == set(SAMPLES)


@pytest.mark.parametrize("findings", MAPPINGS)
def test_a_record_without_any_field_is_valid_and_has_a_time(findings: str) -> None:
    assert event(findings, {})["time"] == EXPORTED
    assert event(findings, {}, context=Context(exported_ms=EXPORTED))["cloud"] == {"provider": "Alibaba Cloud"}


@pytest.mark.parametrize("findings", MAPPINGS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_is_in_a_field_the_event_is_valid_and_has_it(findings: str, data: st.DataObject) -> None:
    sample = SAMPLES[findings]
    names = data.draw(st.lists(st.sampled_from(sorted(sample)), max_size=6, unique=True))
    record = {**sample, **{name: data.draw(st.sampled_from(JUNK)) for name in names}}
    made = event(findings, record)
    assert set(leaves(record)) - set(leaves(made)) <= {"None", ""}


@pytest.mark.parametrize(("activity_id", "type_uid"), [(1, 200201), (UPDATE, 200202), (CLOSE, 200203)])
def test_an_activity_says_what_became_of_a_finding(activity_id: int, type_uid: int) -> None:
    made = event("vulnerabilities", vulnerability(), activity_id)
    assert (made["activity_id"], made["type_uid"]) == (activity_id, type_uid)


def test_a_vulnerability_of_a_machine() -> None:
    made = event("vulnerabilities", vulnerability(3))
    assert (made["class_uid"], made["severity_id"], made["status_id"], made["status_code"]) == (2002, 4, 1, "1")
    assert made["time"] == 1_763_900_000_003
    assert made["finding_info"] == {
        "uid": "1001/uuid-3/cve/alilinux3:sa-3",
        "uid_alt": "4000000003",
        "title": "ALINUX3-SA-2026:0003: openssl security update",
        "first_seen_time": 1_760_000_000_003,
        "last_seen_time": 1_763_900_000_003,
    }
    assert [one["cve"]["uid"] for one in made["vulnerabilities"]] == ["CVE-2026-1003", "CVE-2026-2003"]
    assert made["vulnerabilities"][0]["affected_packages"] == [
        {
            "name": "openssl-libs",
            "version": "1:1.1.1k-9.el8",
            "path": "/usr/lib64",
            "remediation": {"desc": "yum update openssl-libs"},
        }
    ]
    assert made["resources"] == [
        {"uid": "i-bp13", "uid_alt": "uuid-3", "name": "web-3", "ip": "10.0.0.3", "region": "cn-hangzhou"}
    ]
    assert made["metadata"]["correlation_uid"] == "task-1"
    assert made["unmapped"]["Necessity"] == "asap"


@pytest.mark.parametrize("related", [None, "", "KB5001", "CNVD-2026-1"])
def test_a_vulnerability_without_a_cve_is_an_advisory(related: str | None) -> None:
    [one] = event("vulnerabilities", vulnerability(Related=related))["vulnerabilities"]
    assert one["advisory"] == {"uid": "alilinux3:sa-1"}


@pytest.mark.parametrize(
    ("status", "status_id"),
    [(1, 1), (9, 1), (11, 1), (4, 2), (7, 4), (10, 3), (12, 5), (20, 5), (99, None), ("", None)],
)
def test_the_status_of_a_vulnerability(status: object, status_id: int | None) -> None:
    assert event("vulnerabilities", vulnerability(Status=status)).get("status_id") == status_id


@pytest.mark.parametrize(("necessity", "severity_id"), [("asap", 4), ("later", 3), ("nntf", 2), ("", 0), ("new", 0)])
def test_the_severity_of_a_vulnerability(necessity: str, severity_id: int) -> None:
    assert event("vulnerabilities", vulnerability(Necessity=necessity))["severity_id"] == severity_id


@pytest.mark.parametrize("entry", [{"Name": "", "FullVersion": "1"}, {"Name": "a"}, {"Name": None, "Version": None}])
def test_a_package_without_name_or_version_is_left_out(entry: dict[str, Any]) -> None:
    record = vulnerability(ExtendContentJson={"RpmEntityList": [entry]})
    assert "affected_packages" not in event("vulnerabilities", record)["vulnerabilities"][0]


DETAIL = {
    "CveId": "CVE-2026-1001",
    "Summary": "A hole.",
    "VulLevel": "serious",
    "CvssScore": "9.8",
    "CvssVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "ReleaseTime": 1_750_000_000_000,
    "Solution": "Update.",
    "Reference": "https://nvd.nist.gov/vuln/detail/CVE-2026-1001 see there",
}


def test_details_of_a_cve_add_its_score_and_raise_the_severity() -> None:
    made = event("vulnerabilities", vulnerability(1, Cves=[DETAIL]))
    first, second = made["vulnerabilities"]
    assert made["severity_id"] == 5
    assert first["cve"]["cvss"] == [{"base_score": 9.8, "version": "3.1", "vector_string": DETAIL["CvssVector"]}]
    assert (first["remediation"], first["desc"]) == ({"desc": "Update."}, "A hole.")
    assert first["references"] == ["https://nvd.nist.gov/vuln/detail/CVE-2026-1001"]
    assert second["cve"] == {"uid": "CVE-2026-2001"}


@pytest.mark.parametrize(
    ("vector", "score", "version"),
    [
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5, "2.0"),
        ("", 7.5, None),
        ("CVSS:3.0/AV:N", "high", None),
        ("CVSS:3.0/A", 99, None),
    ],
)
def test_a_score_needs_its_version(vector: str, score: object, version: str | None) -> None:
    detail = {**DETAIL, "CvssVector": vector, "CvssScore": score}
    cve = event("vulnerabilities", vulnerability(1, Cves=[detail]))["vulnerabilities"][0]["cve"]
    assert [one["version"] for one in cve.get("cvss", [])] == ([version] if version else [])


def test_a_vulnerability_of_an_image() -> None:
    made = event("image_vulnerabilities", image_vulnerability())
    assert made["resources"] == [{"uid": f"sha256:{1:064d}", "name": "basket"}]
    [one] = made["vulnerabilities"]
    assert (one["is_fix_available"], len(one["affected_packages"])) == (True, 1)
    assert made["time"] == 1_763_900_000_000


@pytest.mark.parametrize(
    ("status", "status_id", "compliance"),
    [("NOT_PASS", 1, 3), ("PASS", 4, 1), ("WHITELIST", 3, None), ("NOT_CHECK", None, 99), ("FAILED", None, 99)],
)
def test_a_check_of_a_cloud_product(status: str, status_id: int | None, compliance: int | None) -> None:
    made = event("cloud_configuration", cloud_check(Status=status))
    assert (made.get("status_id"), made["compliance"].get("status_id")) == (status_id, compliance)
    assert made["compliance"]["standards"] == ["CIS"]
    assert made["compliance"]["requirements"] == ["Storage", "Logging"]
    assert made["finding_info"]["uid"] == "1001/check/1"


def test_a_baseline_check_of_a_machine() -> None:
    made = event("baseline", baseline_check())
    assert made["remediation"]["desc"].startswith("Set ClientAliveInterval")
    assert made["compliance"]["checks"] == [{"uid": "51"}]
    assert made["finding_info"]["uid"] == "1001/hc/51/uuid-1"


def test_an_alert() -> None:
    made = event("alerts", alert())
    assert (made["is_alert"], made["severity_id"], made["resources"][0]["ip"]) == (True, 5, "fe80::1")
    assert made["finding_info"]["attacks"] == [{"tactic": {"uid": "TA0011", "name": "Command and Control"}}]
    assert made["evidences"][0]["data"][0]["Value"] == "bash -i"
    assert made["finding_info"]["uid"] == f"1001/alert/{1:032d}"


def test_a_virus_event() -> None:
    made = event("virus_events", virus_event())
    assert made["malware"] == [{"name": "Mining program", "classification_ids": [0]}]
    assert (made["status_id"], made["severity_id"]) == (1, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", True),
        ("255.255.255.255", True),
        ("10.0.0.256", False),
        ("10.0.0", False),
        ("10.0.0.1.", False),
        ("::1", True),
        ("fe80::1%eth0", False),
        ("a:b", False),
        ("", False),
    ],
)
def test_what_is_an_address(text: str, expected: bool) -> None:
    assert is_address(text) == expected


@pytest.mark.parametrize("findings", ["assets", "exposures"])
def test_a_set_without_a_class_is_refused(findings: str) -> None:
    with pytest.raises(ConfigurationError, match=r"OCSF has no class for.*shape='api'"):
        shape(findings, CONTEXT)
