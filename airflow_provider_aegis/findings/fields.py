"""What the fields of a record mean, as one table for all sets of findings.

Every other module here reads it: columns of Parquet and CSV, the OCSF shape, the gate, the diff and the report. So a
finding has one key, one urgency and one state wherever it appears. A new set is one entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from airflow_provider_aegis.client.readers import ACCOUNT, find_findings

UNKNOWN, NEW, IN_PROGRESS, SUPPRESSED, RESOLVED, ARCHIVED = range(6)  # status_id of OCSF
UNKNOWN_SEVERITY = 0


class State(StrEnum):
    """Whether a finding counts: only an open one does. Of two records of one finding the state named first wins."""

    OPEN = "open"
    WAIVED = "waived"
    FIXED = "fixed"
    ARCHIVED = "archived"
    UNKNOWN = "unknown"  # the check did not run: neither a finding nor the proof that there is none


STATES: dict[int, str] = {
    NEW: State.OPEN.value,
    IN_PROGRESS: State.OPEN.value,
    SUPPRESSED: State.WAIVED.value,
    RESOLVED: State.FIXED.value,
    ARCHIVED: State.ARCHIVED.value,
    UNKNOWN: State.UNKNOWN.value,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields of one set's records. Where several are named, the first that a record has counts.

    :param identity: what tells a finding apart from one export to the next.
    :param kind: stands before the identity in the key, where numbers of two sets could be the same.
    :param severities: the words of the urgency field in lower case, worst first, and the severity_id of OCSF for each.
    :param statuses: the values of the status field as text and the status_id of OCSF for each; any other value, or
        none, is an open finding.
    :param machine: the id by which the inventory knows the machine; empty for what is on no machine.
    """

    identity: tuple[str, ...]
    kind: str = ""
    title: tuple[str, ...]
    name: str = "Name"
    type: str = "Type"
    urgency: str = ""
    severities: Mapping[str, int] = field(default_factory=dict)
    status: str = ""
    statuses: Mapping[str, int] = field(default_factory=dict)
    machine: str = ""
    resource: tuple[str, ...] = ()
    resource_name: tuple[str, ...] = ()
    region: str = ""
    first_seen: tuple[str, ...] = ()
    last_seen: tuple[str, ...] = ()
    cves: str = ""

    @property
    def urgencies(self) -> tuple[str, ...]:
        """The urgencies of this set, worst first."""
        return tuple(self.severities)

    def row(self, record: Mapping[str, Any]) -> Row:
        """Read a record as a row of the same columns for every set."""
        get = record.get
        account = text_of(get(ACCOUNT))
        urgency = text_of(get(self.urgency)).lower()
        status = text_of(get(self.status))
        # By position, in the order of the columns: names would take a quarter of the time.
        return Row(
            account,
            f"{account}/{self.kind}{'/'.join([text_of(get(name)) for name in self.identity])}",
            text_of(get(self.type)),
            text_of(get(self.name)),
            first_text(record, self.title),
            urgency,
            self.severities.get(urgency, UNKNOWN_SEVERITY),
            STATES[self.statuses.get(status, NEW)],
            status,
            text_of(get(self.machine)),
            first_text(record, self.resource),
            first_text(record, self.resource_name),
            text_of(get(self.region)),
            first_time(record, self.first_seen),
            first_time(record, self.last_seen),
            text_of(get(self.cves)),
        )


class Row(NamedTuple):
    """One finding in the columns that all sets share; a text that the record lacks is empty."""

    account_id: str
    finding_key: str
    type: str
    name: str
    title: str
    urgency: str
    severity_id: int
    state: str
    status: str
    machine_uuid: str
    resource_id: str
    resource_name: str
    region: str
    first_seen_ms: int | None
    last_seen_ms: int | None
    cves: str


# Raise it when a column is added, renamed or means something else; part files and manifests carry it.
COLUMNS_VERSION = 1

NECESSITY = {"asap": 4, "later": 3, "nntf": 2}
LEVELS = {"high": 4, "medium": 3, "low": 2}
ALARM_LEVELS = {"serious": 5, "suspicious": 3, "remind": 1}
MACHINE: dict[str, Any] = {"machine": "Uuid", "resource": ("InstanceId", "Uuid"), "resource_name": ("InstanceName",)}

FIELDS: dict[str, Fields] = {
    "vulnerabilities": Fields(
        identity=("Uuid", "Type", "Name"),
        title=("AliasName", "Name"),
        urgency="Necessity",
        severities=NECESSITY,
        status="Status",
        # 9 and 11 are fixes that were rolled back: the hole is open again.
        statuses={
            **dict.fromkeys(("1", "2", "3", "9", "11"), NEW),
            **dict.fromkeys(("4", "5", "6", "8"), IN_PROGRESS),
            "7": RESOLVED,
            "10": SUPPRESSED,
            **dict.fromkeys(("12", "20"), ARCHIVED),
        },
        first_seen=("FirstTs",),
        last_seen=("LastTs",),
        cves="Related",
        region="RegionId",
        **MACHINE,
    ),
    "image_vulnerabilities": Fields(
        identity=("ImageDigest", "Type", "Name"),
        title=("AliasName", "Name"),
        urgency="Necessity",
        severities=NECESSITY,
        status="Status",
        statuses={"1": NEW, "7": RESOLVED},
        resource=("ImageDigest", "Uuid"),
        resource_name=("RepoName", "Image"),
        first_seen=("FirstTs",),
        last_seen=("ScanTime", "LastTs"),
        cves="Related",
    ),
    "image_baseline": Fields(
        identity=("ImageUuid", "BaselineNameKey"),
        kind="image-hc/",
        name="BaselineNameKey",
        type="BaselineClassAlias",
        title=("BaselineNameAlias", "BaselineNameKey"),
        urgency="BaselineNameLevel",
        severities=LEVELS,
        resource=("ImageUuid",),
        first_seen=("FirstScanTime",),
        last_seen=("LastScanTime",),
    ),
    "image_sensitive_files": Fields(
        identity=("ImageUuid", "SensitiveFileKey", "ClassKey"),
        kind="image-file/",
        name="SensitiveFileKey",
        type="ClassKey",
        title=("SensitiveFileName", "SensitiveFileKey"),
        urgency="RiskLevel",
        severities=LEVELS,
        resource=("ImageUuid",),
        first_seen=("FirstScanTime",),
        last_seen=("LastScanTime",),
    ),
    "image_malicious_files": Fields(
        identity=("ImageUuid", "MaliciousMd5", "FilePath"),
        kind="image-malware/",
        name="MaliciousMd5",
        type="",
        title=("FilePath", "MaliciousMd5"),
        urgency="Level",
        severities=ALARM_LEVELS,
        resource=("Digest", "ImageUuid"),
        resource_name=("RepoName", "Image"),
        region="RepoRegionId",
        first_seen=("FirstScanTimestamp",),
        last_seen=("LatestScanTimestamp",),
    ),
    "baseline": Fields(
        identity=("CheckId", "Uuid"),
        kind="hc/",
        name="CheckId",
        type="CheckType",
        title=("CheckItem", "CheckId"),
        urgency="CheckLevel",
        severities=LEVELS,
        status="Status",
        statuses={
            "1": NEW,
            **dict.fromkeys(("2", "7"), IN_PROGRESS),
            **dict.fromkeys(("3", "8"), RESOLVED),
            "6": SUPPRESSED,
        },
        last_seen=("LastScanTime",),
        region="RegionId",
        **MACHINE,
    ),
    "cloud_configuration": Fields(
        identity=("CheckId",),
        kind="check/",
        name="CheckId",
        type="CheckType",
        title=("CheckShowName", "CheckId"),
        urgency="RiskLevel",
        severities=LEVELS,
        status="Status",
        statuses={
            "NOT_PASS": NEW,
            "PASS": RESOLVED,
            "WHITELIST": SUPPRESSED,
            **dict.fromkeys(("FAILED", "CHECKING", "NOT_CHECK"), UNKNOWN),
        },
        resource_name=("InstanceType",),
        last_seen=("LastCheckTime",),
    ),
    "alerts": Fields(
        identity=("AlarmUniqueInfo",),
        kind="alert/",
        name="AlarmEventName",
        type="AlarmEventType",
        title=("AlarmEventNameDisplay", "AlarmEventName", "Name"),
        urgency="Level",
        severities=ALARM_LEVELS,
        status="EventStatus",
        statuses={
            "1": NEW,
            "16": IN_PROGRESS,
            **dict.fromkeys(("2", "8", "604"), SUPPRESSED),
            **dict.fromkeys(("4", "32"), RESOLVED),
            "64": ARCHIVED,
        },
        first_seen=("OccurrenceTimeStamp",),
        last_seen=("LastTimeStamp",),
        **MACHINE,
    ),
    "virus_events": Fields(
        identity=("Uuid", "EventId"),
        kind="virus/",
        name="EventName",
        type="",
        title=("EventName", "EventId"),
        urgency="Level",
        severities=ALARM_LEVELS,
        last_seen=("LastTimeStamp",),
        **MACHINE,
    ),
    "exposures": Fields(
        identity=("Uuid", "InstanceId", "ExposureIp", "ExposurePort"),
        kind="exposure/",
        name="ExposureIp",
        type="ExposureType",
        title=("ExposureComponent", "ExposureIp"),
        region="RegionId",
        **MACHINE,
    ),
    "assets": Fields(
        identity=("Uuid",),
        name="InstanceName",
        type="AssetType",
        title=("InstanceName", "Uuid"),
        region="RegionId",
        **MACHINE,
    ),
}


def fields_of(findings: str) -> Fields:
    """Return the fields of a set.

    :raises ConfigurationError: if there is no such set; the text names those there are.
    """
    find_findings(findings)
    return FIELDS[findings]


def text_of(value: Any) -> str:
    """Return a field's value as text; the API gives some numbers as text and some texts as numbers."""
    if isinstance(value, str):
        return value
    return "" if value is None else str(value)


def first_text(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of these fields that is not empty, as text."""
    for name in names:
        if value := record.get(name):
            return text_of(value)
    return ""


def first_time(record: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """Return the first of these fields that is a time, in epoch milliseconds."""
    for name in names:
        if (value := milliseconds(record.get(name))) is not None:
            return value
    return None


def milliseconds(value: Any) -> int | None:
    """Read epoch milliseconds, a number or its text; ``None`` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 < value < 2**63 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value) or None
    return None
