"""One HTML file that shows what a scan found: no script, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from airflow_provider_aegis import __version__
from airflow_provider_aegis.client.protocol.redaction import printable
from airflow_provider_aegis.findings.diff import Ages, Kind
from airflow_provider_aegis.findings.fields import Fields, Row
from airflow_provider_aegis.findings.judgement import Judgement
from airflow_provider_aegis.findings.manifest import Manifest
from airflow_provider_aegis.findings.writers import valid

TEMPLATE = "report.html.j2"
DAY_MS = 86_400_000
# By severity_id of OCSF; an urgency that nobody documented has none.
COLOURS = {5: "critical", 4: "high", 3: "medium", 2: "low", 1: "low", 0: "unknown"}
KINDS = {
    Kind.NEW: "New",
    Kind.REOPENED: "Reopened",
    Kind.WORSE: "Worse",
    Kind.BETTER: "Better",
    Kind.WAIVED: "Waived",
    Kind.FIXED: "Fixed",
    Kind.UNSEEN: "Not seen",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the report shows.

    :param judgement: of the gate, on all findings: its counts and its worst ten are what the report shows.
    :param changes: counts of a comparison by kind and urgency; empty where there was none.
    :param ages: of the open findings, by urgency; empty where they were not asked for.
    :param facts: more lines about how the report was made, such as the DAG and the run.
    """

    manifest: Manifest
    fields: Fields
    judgement: Judgement
    changes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ages: Mapping[str, Ages] = field(default_factory=dict)
    sla: Mapping[str, timedelta] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart.

    :param share: its length, 0 to 1.
    :param note: what stands behind it.
    """

    label: str
    colour: str
    share: float
    note: str
    mark: float | None = None
    limit: float | None = None


def render(report: Report) -> bytes:
    """Return the file."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = printable
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    judgement, changes = report.judgement, report.changes
    html = template.render(
        report=report,
        manifest=report.manifest,
        judgement=judgement,
        title=f"Security Center: {report.manifest.findings.replace('_', ' ')}",
        created=instant(report.manifest.created_ms),
        total=sum(judgement.counts.values()),
        cards=[(name, sum(changes.get(kind, {}).values())) for kind, name in KINDS.items() if changes],
        counts=bars(judgement.counts, report.fields),
        changes=[(name, segments(changes, kind, report.fields)) for kind, name in KINDS.items()] if changes else [],
        ages=age_bars(report),
        overdue=sum(ages.overdue for ages in report.ages.values()),
        worst=[
            (row, colour(row.urgency, report.fields), age(row, report.manifest.created_ms)) for row in judgement.worst
        ],
        made=how_it_was_made(report),
    )
    return valid(html).encode()


def instant(milliseconds: int) -> str:
    """Return a time as people write it, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def colour(urgency: str, fields: Fields) -> str:
    """Return the class of style of an urgency."""
    return COLOURS[fields.severities.get(urgency, 0)]


def bars(counts: Mapping[str, int], fields: Fields) -> list[Bar]:
    """Return a bar for each urgency, the longest over the whole width."""
    most = max([*counts.values(), 1])
    return [Bar(word, colour(word, fields), count / most, f"{count:,}") for word, count in counts.items()]


def segments(changes: Mapping[str, Mapping[str, int]], kind: Kind, fields: Fields) -> list[Bar]:
    """Return the bars of one kind of change, one behind the other; all kinds are to one scale."""
    most = max([*(sum(by_urgency.values()) for by_urgency in changes.values()), 1])
    counts = changes.get(kind, {})
    return [Bar(word, colour(word, fields), count / most, f"{count:,}") for word, count in counts.items() if count]


def age_bars(report: Report) -> list[Bar]:
    """Return a bar to the oldest finding of each urgency, with a mark at the median and one at what is allowed."""
    limits = {word: limit / timedelta(days=1) for word, limit in report.sla.items()}
    longest = max([*(ages.oldest_days or 0 for ages in report.ages.values()), *limits.values(), 1])
    made = []
    for word, ages in report.ages.items():
        if ages.oldest_days is None or ages.median_days is None:
            made.append(Bar(word, colour(word, report.fields), 0, "no record says when it was first seen"))
            continue
        late = f", {ages.overdue:,} of {ages.open:,} overdue" if word in limits else ""
        note = f"median {ages.median_days:.0f} d, oldest {ages.oldest_days:.0f} d{late}"
        made.append(
            Bar(
                word,
                colour(word, report.fields),
                ages.oldest_days / longest,
                note,
                mark=ages.median_days / longest,
                limit=limits[word] / longest if word in limits else None,
            )
        )
    return made


def age(row: Row, now_ms: int) -> str:
    """Return the age of a finding in days."""
    return "" if row.first_seen_ms is None else f"{max(now_ms - row.first_seen_ms, 0) // DAY_MS:,} d"


def how_it_was_made(report: Report) -> Sequence[tuple[str, Any]]:
    """Return the lines of the last section."""
    manifest = report.manifest
    claimed = "" if manifest.claimed_total is None else f"; Security Center named {manifest.claimed_total:,}"
    lines: list[tuple[str, Any]] = [
        ("Findings", manifest.findings),
        (
            "Records",
            f"{manifest.records:,} from {manifest.pages:,} pages, {manifest.duplicates:,} duplicates left out{claimed}",
        ),
        ("Accounts", f"{len(manifest.accounts) or 1:,} read, {len(manifest.skipped_accounts):,} skipped"),
        ("Scan", manifest.once_task_id or "none was named"),
        ("Manifest", manifest.uri),
        ("SHA-256", manifest.sha256),
        ("Compared with", manifest.previous.uri if manifest.previous else "nothing"),
    ]
    if manifest.request_ids:
        lines.append(("RequestIds", f"{manifest.request_ids[0]} to {manifest.request_ids[-1]}"))
    return [*lines, *report.facts.items(), ("Made by", f"airflow-provider-aegis {__version__}")]
