"""Records as findings that DefectDojo's Generic Findings Import takes.

It refuses a whole file for one key that it does not know, and its database one text that is too long. ``cve`` is left
out on purpose: together with ``vulnerability_ids`` it makes a list within a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.fields import Row, State, fields_of, text_of
from airflow_provider_aegis.findings.ocsf import MAPPINGS, cves_of, is_address, packages_of

SEVERITIES = {5: "Critical", 4: "High", 3: "Medium", 2: "Low"}
LOWEST = "Info"
# What the columns of its database hold.
LONGEST_TITLE, LONGEST_ID, LONGEST_COMPONENT, LONGEST_VERSION = 500, 500, 500, 100
DESCRIBED = {
    "Name": "name",
    "Type": "type",
    "Urgency": "urgency",
    "Resource": "resource_name",
    "Resource id": "resource_id",
    "Machine": "machine_uuid",
    "Region": "region",
    "Account": "account_id",
}


def shape(findings: str, exported_ms: int) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return the function that makes DefectDojo's finding of a record.

    :param exported_ms: the date of what does not say when it was first seen, in epoch milliseconds.
    :raises ConfigurationError: if the records of this set are no findings.
    """
    fields = fields_of(findings)
    if findings not in MAPPINGS:
        raise ConfigurationError(
            f"findings={findings!r} cannot be given to DefectDojo. Use shape='api', or one of: {', '.join(MAPPINGS)}."
        )

    def finding(record: Mapping[str, Any]) -> dict[str, Any]:
        return _finding(record, fields.row(record), findings, exported_ms)

    return finding


def _finding(record: Mapping[str, Any], row: Row, findings: str, exported_ms: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "title": cut(row.title or row.name or row.finding_key, LONGEST_TITLE),
        "severity": SEVERITIES.get(row.severity_id, LOWEST),
        "description": describe(record, row),
        "date": day(row.first_seen_ms or exported_ms),
        "active": row.state == State.OPEN,
        "is_mitigated": row.state == State.FIXED,
        "risk_accepted": row.state == State.WAIVED,
        "unique_id_from_tool": unique(row.finding_key),
        "tags": [findings, *(text for text in (row.urgency, row.region) if text)],
    }
    if row.state == State.FIXED:
        made["mitigated"] = day(row.last_seen_ms or exported_ms)
    if row.name:
        made["vuln_id_from_tool"] = cut(row.name, LONGEST_ID)
    if cves := cves_of(row.cves):
        made["vulnerability_ids"] = list(cves)
    packages = packages_of(record.get("ExtendContentJson"))
    if packages:
        made["component_name"] = cut(packages[0]["name"], LONGEST_COMPONENT)
        made["component_version"] = cut(packages[0]["version"], LONGEST_VERSION)
    advice = [one["remediation"]["desc"] for one in packages if "remediation" in one]
    if text := text_of(record.get("Advice")):
        advice.append(text)
    if advice:
        made["mitigation"] = "\n\n".join(dict.fromkeys(advice))
    if isinstance(address := record.get("IntranetIp"), str) and is_address(address):
        made["endpoints"] = [{"host": address}]
    return made


def describe(record: Mapping[str, Any], row: Row) -> str:
    """Return the facts of a finding as a list in Markdown, and what the service says of it."""
    facts = [f"- {name}: {code(text)}" for name, column in DESCRIBED.items() if (text := getattr(row, column))]
    if text := text_of(record.get("Desc") or record.get("Description")):
        facts.append(f"\n{text}")
    return "\n".join(facts) or row.finding_key


def code(text: str) -> str:
    """Return a text as Markdown that shows it as it is: a name may be the attacker's to choose."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def cut(text: str, longest: int) -> str:
    """Return as much of a text as fits."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def unique(key: str) -> str:
    """Return the key, or what stands for it where it is too long; never the same for two keys."""
    return key if len(key) <= LONGEST_ID else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def day(milliseconds: int) -> str:
    """Return the day of a time, in UTC; of a time that no calendar has, the first day of all."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "1970-01-01"
