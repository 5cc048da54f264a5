"""Records as events of OCSF 1.8.0: Vulnerability (2002), Compliance (2003) and Detection Finding (2004).

What has no place in the schema stays in ``unmapped``, so nothing is lost. ``Necessity`` is a priority and no severity:
it gives the severity for want of a better one, and stays beside it. A field is left out where a guess would be the
alternative: a status that nobody documented, the status of a check that did not run, a CVSS score without its version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.findings.fields import FIELDS, Fields, Row, State, fields_of, milliseconds, text_of

VERSION = "1.8.0"
FINDINGS_CATEGORY = 2
CREATE, UPDATE, CLOSE = 1, 2, 3
PROFILES = ["cloud"]
OTHER = 99  # OCSF has no type for accounts of Alibaba Cloud
PASS, FAIL = 1, 3
SERIOUS_SEVERITY = 5
UNKNOWN_CLASSIFICATION = 0
CVE = re.compile(r"CVE-\d{4}-\d{4,}")
CVSS_VERSION = re.compile(r"CVSS:(\d\.\d)/")
EVENT_UIDS = ("PrimaryId", "Id", "EventId", "CheckId")

Record = Mapping[str, Any]
Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an export knows and its records do not.

    :param exported_ms: when the records were read, in epoch milliseconds.
    :param account: the account of records that do not name theirs.
    :param lang: language of the titles.
    """

    exported_ms: int
    account: str = ""
    once_task_id: str = ""
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Mapped:
    """How one set of findings becomes events.

    :param body: adds what the class has besides the fields that all share.
    :param used: fields that the event has unchanged, so that ``unmapped`` need not repeat them.
    """

    class_uid: int
    body: Callable[[Event, Record, Row], None]
    used: frozenset[str]


def shape(findings: str, context: Context) -> Callable[..., Event]:
    """Return the function that makes an event of a record: ``event(record, activity_id=CREATE)``.

    :raises ConfigurationError: if OCSF has no class for this set.
    """
    fields = fields_of(findings)
    if findings not in MAPPINGS:
        raise ConfigurationError(
            f"OCSF has no class for findings={findings!r}. Use shape='api', or one of: {', '.join(MAPPINGS)}."
        )
    mapped = MAPPINGS[findings]
    used = mapped.used
    product = {
        "name": "Security Center",
        "vendor_name": "Alibaba Cloud",
        "uid": "sas",
        "feature": {"name": findings},
        "lang": context.lang,
    }

    def event(record: Record, activity_id: int = CREATE) -> Event:
        row = fields.row(record)
        made = _common(record, row, mapped, context, product, activity_id)
        if (status_id := _status_id(fields, row)) is not None:
            made["status_id"] = status_id
        mapped.body(made, record, row)
        rest = {
            name: value
            for name, value in record.items()
            if name not in used or not ((type(value) is str and name not in TIMES) or represented(name, value))
        }
        if rest:
            made["unmapped"] = rest
        return made

    return event


def represented(name: str, value: Any) -> bool:
    """Say whether an event has the value of a field that its mapping uses, and not only something made of it."""
    if name in TIMES:
        return milliseconds(value) is not None
    if name == "Details":
        return bool(value)
    return type(value) is str or (type(value) is int and value != 0)


def _status_id(fields: Fields, row: Row) -> int | None:
    if not fields.status:
        return 1
    return fields.statuses.get(row.status) or None


def _common(
    record: Record, row: Row, mapped: Mapped, context: Context, product: dict[str, Any], activity_id: int
) -> Event:
    account = row.account_id or context.account
    metadata: Event = {
        "version": VERSION,
        "product": product,
        "profiles": PROFILES,
        "logged_time": context.exported_ms,
    }
    cloud: Event = {"provider": "Alibaba Cloud"}
    if context.once_task_id:
        metadata["correlation_uid"] = context.once_task_id
    if account:
        metadata["tenant_uid"] = account
        cloud["account"] = {"uid": account, "type_id": OTHER, "type": "Alibaba Cloud account"}
    if row.region:
        cloud["region"] = row.region
    finding: Event = {"uid": row.finding_key if row.account_id else f"{account}{row.finding_key}"}
    if row.title:
        finding["title"] = row.title
    for name in EVENT_UIDS:
        if uid := record.get(name):
            metadata["original_event_uid"] = finding["uid_alt"] = text_of(uid)
            break
    if row.first_seen_ms is not None:
        finding["first_seen_time"] = row.first_seen_ms
    if row.last_seen_ms is not None:
        finding["last_seen_time"] = row.last_seen_ms
    made: Event = {
        "activity_id": activity_id,
        "category_uid": FINDINGS_CATEGORY,
        "class_uid": mapped.class_uid,
        "type_uid": mapped.class_uid * 100 + activity_id,
        "time": row.last_seen_ms or row.first_seen_ms or context.exported_ms,
        "severity_id": row.severity_id,
        "message": row.title,
        "metadata": metadata,
        "cloud": cloud,
        "finding_info": finding,
    }
    if row.status:
        made["status_code"] = row.status
    if resource := _resource(record, row):
        made["resources"] = [resource]
    return made


def _resource(record: Record, row: Row) -> Event:
    resource: Event = {}
    if row.resource_id:
        resource["uid"] = row.resource_id
    if row.resource_name:
        resource["name"] = row.resource_name
    if not resource:
        return resource
    if row.machine_uuid and row.machine_uuid != row.resource_id:
        resource["uid_alt"] = row.machine_uuid
    if row.region:
        resource["region"] = row.region
    if isinstance(address := record.get("IntranetIp"), str) and is_address(address):
        resource["ip"] = address
    if kind := record.get("TargetType") or record.get("InstanceType"):
        resource["type"] = text_of(kind)
    return resource


# A machine, and what is found on it, come again in many records.
@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Say whether a text is an IP address."""
    try:
        return bool(ip_address(text)) and "%" not in text
    except ValueError:
        return False


def _vulnerability(event: Event, record: Record, row: Row) -> None:
    """2002: one entry for each CVE; without any, the vendor's name of it is an advisory."""
    common: Event = {"vendor_name": "Alibaba Cloud"}
    if row.title:
        common["title"] = row.title
    if isinstance(record.get("RealRisk"), bool):
        common["is_exploit_available"] = record["RealRisk"]
    fixable = record.get("CanUpdate")
    if isinstance(fixable, bool):
        common["is_fix_available"] = fixable
    if packages := packages_of(record.get("ExtendContentJson")):
        common["affected_packages"] = packages
    details: dict[str, Mapping[str, Any]] = {}
    if "Cves" in record:
        details = {text_of(one.get("CveId")): one for one in objects(record["Cves"])}
        if any(text_of(one.get("VulLevel")).lower() == "serious" for one in details.values()):
            event["severity_id"] = SERIOUS_SEVERITY
    if cves := cves_of(row.cves):
        event["vulnerabilities"] = [{**common, **_cve(uid, details.get(uid))} for uid in cves]
    else:
        event["vulnerabilities"] = [{**common, "advisory": {"uid": row.name or row.finding_key}}]


@lru_cache(maxsize=4096)
def cves_of(text: str) -> tuple[str, ...]:
    """Return the ids of the CVEs that a text names, each once."""
    return tuple(dict.fromkeys(CVE.findall(text)))


def _cve(uid: str, detail: Mapping[str, Any] | None) -> Event:
    cve: Event = {"uid": uid}
    if not detail:
        return {"cve": cve}
    entry: Event = {"cve": cve}
    if description := detail.get("Summary"):
        cve["desc"] = entry["desc"] = text_of(description)
    if (created := milliseconds(detail.get("ReleaseTime"))) is not None:
        cve["created_time"] = created
    if solution := detail.get("Solution"):
        entry["remediation"] = {"desc": text_of(solution)}
    if references := [link for link in text_of(detail.get("Reference")).split() if link.startswith("http")]:
        entry["references"] = references
    if cvss := _cvss(detail):
        cve["cvss"] = [cvss]
    return entry


def _cvss(detail: Mapping[str, Any]) -> Event | None:
    """Return a score with its version, which only the vector tells; ``None`` where there is not both."""
    vector = text_of(detail.get("CvssVector"))
    try:
        score = float(text_of(detail.get("CvssScore")))
    except ValueError:
        return None
    version = found.group(1) if (found := CVSS_VERSION.match(vector)) else "2.0" if "/Au:" in vector else ""
    return {"base_score": score, "version": version, "vector_string": vector} if version and 0 <= score <= 10 else None


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; none of anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def packages_of(content: Any) -> list[Event]:
    """Return the packages of ``ExtendContentJson`` that have both a name and a version."""
    packages = []
    for entry in objects(content.get("RpmEntityList")) if isinstance(content, dict) else ():
        name, version = text_of(entry.get("Name")), text_of(entry.get("FullVersion") or entry.get("Version"))
        if not name or not version:
            continue
        package: Event = {"name": name, "version": version}
        if path := entry.get("Path"):
            package["path"] = text_of(path)
        if command := entry.get("UpdateCmd"):
            package["remediation"] = {"desc": text_of(command)}
        packages.append(package)
    return packages


def _compliance(event: Event, record: Record, row: Row) -> None:
    """2003: one check; whether it passed is left out where it did not run."""
    compliance: Event = {"control": row.title or row.name}
    if row.state == State.OPEN:
        compliance["status_id"] = FAIL
    elif row.state == State.FIXED:
        compliance["status_id"] = PASS
    elif row.state == State.UNKNOWN:
        compliance.update(status_id=OTHER, status=row.status)
    if row.name:
        compliance["checks"] = [{"uid": row.name}]
    policies = objects(record.get("CheckPolicies"))
    for name, source in (("standards", "StandardShowName"), ("requirements", "RequirementShowName")):
        if texts := list(dict.fromkeys(text_of(one[source]) for one in policies if one.get(source))):
            compliance[name] = texts
    event["compliance"] = compliance
    if advice := record.get("Advice"):
        event["remediation"] = {"desc": text_of(advice)}


def _detection(event: Event, record: Record, row: Row) -> None:
    """2004: an alarm, with the tactics of ATT&CK that it names."""
    event["is_alert"] = True
    finding = event["finding_info"]
    if row.type:
        finding["types"] = [row.type]
    if description := record.get("Desc"):
        finding["desc"] = text_of(description)
    if details := record.get("Details"):
        event["evidences"] = [{"data": details}]
    attacks = []
    for item in objects(record.get("TacticItems")):
        tactic = {"uid": text_of(item.get("TacticId")), "name": text_of(item.get("TacticDisplayName"))}
        if tactic := {name: text for name, text in tactic.items() if text}:
            attacks.append({"tactic": tactic})
    if attacks:
        finding["attacks"] = attacks


def _malware(event: Event, record: Record, row: Row) -> None:
    """2004 with the malware that was found."""
    _detection(event, record, row)
    event["malware"] = [{"name": row.title or row.name, "classification_ids": [UNKNOWN_CLASSIFICATION]}]


TIMES = frozenset(name for fields in FIELDS.values() for name in (*fields.first_seen, *fields.last_seen))
MACHINE_USED = {ACCOUNT, "Uuid", "InstanceId", "InstanceName"}
MAPPINGS: dict[str, Mapped] = {
    "vulnerabilities": Mapped(
        2002, _vulnerability, frozenset({*MACHINE_USED, "RegionId", "PrimaryId", "AliasName", "FirstTs", "LastTs"})
    ),
    "image_vulnerabilities": Mapped(
        2002, _vulnerability, frozenset({ACCOUNT, "PrimaryId", "AliasName", "ImageDigest", "FirstTs"})
    ),
    "image_baseline": Mapped(2003, _compliance, frozenset({ACCOUNT, "FirstScanTime", "LastScanTime"})),
    "cloud_configuration": Mapped(2003, _compliance, frozenset({ACCOUNT, "CheckId", "CheckShowName", "LastCheckTime"})),
    "baseline": Mapped(
        2003, _compliance, frozenset({*MACHINE_USED, "RegionId", "CheckId", "CheckItem", "LastScanTime", "Advice"})
    ),
    "alerts": Mapped(
        2004,
        _detection,
        frozenset({*MACHINE_USED, "Id", "OccurrenceTimeStamp", "LastTimeStamp", "Desc", "Details"}),
    ),
    "virus_events": Mapped(
        2004, _malware, frozenset({*MACHINE_USED, "EventId", "EventName", "LastTimeStamp", "Details"})
    ),
    "image_sensitive_files": Mapped(2004, _detection, frozenset({ACCOUNT, "FirstScanTime", "LastScanTime"})),
    "image_malicious_files": Mapped(2004, _malware, frozenset({ACCOUNT, "Id", "FirstScanTimestamp"})),
}
