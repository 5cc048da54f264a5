"""Fields: one key, one urgency and one state for a finding, whatever set it is of."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.readers import ACCOUNT, FINDINGS, READERS
from airflow_provider_aegis.findings.fields import FIELDS, fields_of
from tests.unit.findings.sample import vulnerability


def test_a_row_of_a_vulnerability() -> None:
    row = FIELDS["vulnerabilities"].row({**vulnerability(3), ACCOUNT: "123"})
    assert row._asdict() == {
        "account_id": "123",
        "finding_key": "123/uuid-3/cve/alilinux3:sa-3",
        "type": "cve",
        "name": "alilinux3:sa-3",
        "title": "ALINUX3-SA-2026:0003: openssl security update",
        "urgency": "asap",
        "severity_id": 4,
        "state": "open",
        "status": "1",
        "machine_uuid": "uuid-3",
        "resource_id": "i-bp13",
        "resource_name": "web-3",
        "region": "cn-hangzhou",
        "first_seen_ms": 1_760_000_000_003,
        "last_seen_ms": 1_763_900_000_003,
        "cves": "CVE-2026-1003,CVE-2026-2003",
    }


@pytest.mark.parametrize(
    ("findings", "record", "state"),
    [
        ("vulnerabilities", {"Status": 1}, "open"),
        ("vulnerabilities", {"Status": "1"}, "open"),
        ("vulnerabilities", {"Status": 11}, "open"),  # the fix was rolled back
        ("vulnerabilities", {"Status": 6}, "open"),
        ("vulnerabilities", {"Status": 7}, "fixed"),
        ("vulnerabilities", {"Status": 10}, "waived"),
        ("vulnerabilities", {"Status": 20}, "archived"),
        ("vulnerabilities", {"Status": 4711}, "open"),
        ("vulnerabilities", {}, "open"),
        ("cloud_configuration", {"Status": "PASS"}, "fixed"),
        ("cloud_configuration", {"Status": "NOT_CHECK"}, "unknown"),
        ("baseline", {"Status": 6}, "waived"),
        ("alerts", {"EventStatus": 32}, "fixed"),
        ("virus_events", {"Status": 7}, "open"),
    ],
)
def test_the_state_of_a_finding(findings: str, record: dict[str, object], state: str) -> None:
    assert FIELDS[findings].row(record).state == state


def test_urgency_is_compared_in_lower_case() -> None:
    row = FIELDS["cloud_configuration"].row({"RiskLevel": "HIGH"})
    assert (row.urgency, row.severity_id) == ("high", 4)


def test_an_urgency_that_nobody_documented_is_kept_and_has_no_severity() -> None:
    row = FIELDS["vulnerabilities"].row(vulnerability(Necessity="tomorrow"))
    assert (row.urgency, row.severity_id) == ("tomorrow", 0)


@pytest.mark.parametrize("value", [None, "", "yesterday", "²", -5, 0, 2**70, "9" * 30, [1], 1.5])
def test_what_is_no_time_is_left_out(value: object) -> None:
    assert FIELDS["vulnerabilities"].row({"FirstTs": value}).first_seen_ms is None


def test_a_time_may_be_a_text() -> None:
    assert FIELDS["vulnerabilities"].row({"FirstTs": "1671184531000"}).first_seen_ms == 1671184531000


def test_the_key_stays_the_same_when_the_service_numbers_a_record_anew() -> None:
    fields = FIELDS["vulnerabilities"]
    assert fields.row(vulnerability(PrimaryId=1)).finding_key == fields.row(vulnerability(PrimaryId=2)).finding_key


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_urgencies_are_listed_worst_first(fields: object) -> None:
    severities = list(getattr(fields, "severities").values())  # noqa: B009
    assert severities == sorted(severities, reverse=True)


def test_an_unknown_set_is_refused_and_those_there_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'vulns' is not known.*vulnerabilities, image_vuln"):
        fields_of("vulns")


def test_each_set_that_can_be_read_has_its_fields() -> None:
    assert FIELDS.keys() == FINDINGS.keys()


@pytest.mark.parametrize("findings", [name for name, fields in FIELDS.items() if fields.severities])
def test_the_urgency_is_that_of_the_reader(findings: str) -> None:
    assert {READERS[read.action].urgency for read in FINDINGS[findings].reads} == {FIELDS[findings].urgency}


def models(action: str) -> set[str]:
    """Return the names of the fields that the official SDK knows in the answers of an operation."""
    sdk = find_spec("alibabacloud_sas20181203")
    assert sdk is not None
    assert sdk.origin is not None
    file = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", action).lower()
    source = (Path(sdk.origin).parent / "models" / f"_{file}_response_body.py").read_text()
    return set(re.findall(r"m\.get\('(\w+)'\)", source))


@pytest.mark.skipif(find_spec("alibabacloud_sas20181203") is None, reason="needs the official SDK")
@pytest.mark.parametrize("findings", FIELDS)
def test_the_official_sdk_knows_every_field_that_the_reader_does_not_copy_in(findings: str) -> None:
    reader = READERS[FINDINGS[findings].reads[0].action]
    known = models(reader.action)
    if each := reader.for_each:
        known |= {each.param, *each.copied}
    fields = FIELDS[findings]
    one = {fields.name, fields.type, fields.urgency, fields.status, fields.machine, fields.region, fields.cves}
    several = {*fields.title, *fields.resource, *fields.resource_name, *fields.first_seen, *fields.last_seen}
    assert ({*one, *several, *fields.identity} - {""}) - known == set()
