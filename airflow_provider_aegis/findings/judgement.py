"""The gate's judgement: how many findings of each urgency, how many may be, and which are allowed for a time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.fields import Fields, Row, State

WORST = 10
# Findings whose urgency is missing, or a word that nobody documented: they can be limited as well.
UNKNOWN_URGENCY = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One entry of the allow-list: a finding that does not count for a time.

    :param name: the finding's name or key, or the CVE of a finding that has this one alone.
    :param resource: the id or the name of the one machine or resource that it holds for; empty for all.
    :param expires: the last day on which it holds.
    """

    name: str
    owner: str
    reason: str
    expires: date
    resource: str = ""

    def matches(self, row: Row) -> bool:
        """Say whether it speaks of this finding."""
        if self.name not in (row.name, row.finding_key, row.cves):
            return False
        return not self.resource or self.resource in (row.resource_id, row.machine_uuid, row.resource_name)

    def __str__(self) -> str:
        where = f" on {self.resource}" if self.resource else ""
        return f"{self.name}{where} (until {self.expires}, owner {self.owner}: {self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the gate decided, and why.

    :param counts: findings that count, by urgency, worst first; 0 where there are none.
    :param limits: how many there may be, by urgency; empty where nothing was limited.
    :param breaches: the urgencies of which there are too many: how many there are and may be.
    :param worst: the ten worst findings that count; of two equal ones the older first.
    :param allowed: how many findings the allow-list took out.
    :param expired: entries of the allow-list that no longer hold, though there is a finding for them.
    """

    counts: dict[str, int]
    limits: dict[str, int]
    breaches: dict[str, tuple[int, int]]
    worst: tuple[Row, ...]
    allowed: int
    expired: tuple[Allowance, ...]

    @property
    def breached(self) -> bool:
        """Whether there are more findings of an urgency than may be."""
        return bool(self.breaches)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {urgency}" for urgency, count in self.counts.items())
        if not self.breached:
            text = f"Findings are within what is allowed: {counts}."
        else:
            too_many = ", ".join(
                f"{there} {urgency} (allowed: {may})" for urgency, (there, may) in self.breaches.items()
            )
            text = f"Too many findings: {too_many}. All that count: {counts}."
        if self.worst and self.breached:
            text += " The worst: " + "; ".join(named(row) for row in self.worst) + "."
        if self.allowed:
            text += f" The allow-list took out {self.allowed}."
        if self.expired:
            text += " Expired in the allow-list, so counted again: " + "; ".join(map(str, self.expired)) + "."
        return text


def named(row: Row) -> str:
    """Return a finding in a few words."""
    where = row.resource_name or row.resource_id
    return f"{row.title or row.name} [{row.urgency or UNKNOWN_URGENCY}]{f' on {where}' if where else ''}"


def judge(
    rows: Iterable[Row],
    *,
    max_allowed: Mapping[str, int] | None,
    of: Fields,
    allow_list: Sequence[Allowance] = (),
    today: date,
) -> Judgement:
    """Judge findings in one pass and constant memory; only open ones count.

    :param rows: all findings, or only the new ones of a comparison.
    :param max_allowed: how many findings of an urgency may be; an urgency that it does not name has no limit, and with
        ``None`` none has.
    :param of: the fields of the set.
    :param today: the day by which entries of the allow-list expire.
    :raises ConfigurationError: if ``max_allowed`` is not numbers by urgencies of this set.
    """
    limits = {} if max_allowed is None else check_max_allowed(max_allowed, of)
    holding = [entry for entry in allow_list if entry.expires >= today]
    lapsed = [entry for entry in allow_list if entry.expires < today]
    counts, expired, allowed = Counter[str](), dict[Allowance, None](), 0

    def counted() -> Iterator[Row]:
        nonlocal allowed
        for row in rows:
            if row.state != State.OPEN:
                continue
            if any(entry.matches(row) for entry in holding):
                allowed += 1
                continue
            expired.update(dict.fromkeys(entry for entry in lapsed if entry.matches(row)))
            counts[row.urgency if row.urgency in of.severities else UNKNOWN_URGENCY] += 1
            yield row

    worst = heapq.nsmallest(WORST, counted(), key=badness)
    known = {urgency: counts[urgency] for urgency in of.urgencies}
    if counts[UNKNOWN_URGENCY] or not known:
        known[UNKNOWN_URGENCY] = counts[UNKNOWN_URGENCY]
    return Judgement(
        counts=known,
        limits=limits,
        breaches={
            urgency: (counts[urgency], limits[urgency])
            for urgency in (*of.urgencies, UNKNOWN_URGENCY)
            if urgency in limits and counts[urgency] > limits[urgency]
        },
        worst=tuple(worst),
        allowed=allowed,
        expired=tuple(expired),
    )


def badness(row: Row) -> tuple[int, int, str]:
    """Return by what findings are sorted: the most severe first, then the oldest, then by key."""
    return -row.severity_id, row.first_seen_ms or 2**63, row.finding_key


def check_max_allowed(max_allowed: object, of: Fields) -> dict[str, int]:
    """See that ``max_allowed`` has numbers by urgencies of a set.

    :raises ConfigurationError: if it has anything else; the text names the urgencies there are.
    """
    there_are = (*of.urgencies, UNKNOWN_URGENCY)
    example = f"Give numbers by urgency, for instance {{{there_are[0]!r}: 0}}; urgencies: {', '.join(there_are)}."
    if not isinstance(max_allowed, Mapping) or not max_allowed:
        raise ConfigurationError(f"max_allowed={max_allowed!r} is not a mapping with a limit. {example}")
    limits = {}
    for urgency, limit in max_allowed.items():
        word = urgency.lower() if isinstance(urgency, str) else urgency
        if word not in there_are:
            raise ConfigurationError(f"max_allowed names {urgency!r}, which is not an urgency of this set. {example}")
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise ConfigurationError(f"max_allowed[{urgency!r}]={limit!r} is not a whole number from 0 on. {example}")
        limits[word] = limit
    return limits


def read_allow_list(entries: object) -> tuple[Allowance, ...]:
    """Read an allow-list: a list of objects with ``name``, ``owner``, ``reason``, ``expires``, and maybe ``resource``.

    :param entries: what JSON or YAML made of the file; ``expires`` is a date, or its text as 2026-12-31.
    :raises ConfigurationError: if an entry lacks one of them; the text names the entry and the field.
    """
    if not isinstance(entries, list):
        raise ConfigurationError("The allow-list is not a list of entries with name, owner, reason and expires.")
    return tuple(_allowance(number, entry) for number, entry in enumerate(entries, 1))


def _allowance(number: int, entry: object) -> Allowance:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(
            f"Entry {number} of the allow-list is not an object with name, owner, reason and expires."
        )
    which = f"Entry {number} of the allow-list ({entry.get('name')!r})"
    known = [field.name for field in fields(Allowance)]
    if unknown := [str(name) for name in entry if name not in known]:
        raise ConfigurationError(f"{which} has {', '.join(unknown)}; use {', '.join(known)}.")
    texts: dict[str, str] = {}
    for name in ("name", "owner", "reason", "resource"):
        text = entry.get(name, "" if name == "resource" else None)
        if not isinstance(text, str) or not (text.strip() or name == "resource"):
            raise ConfigurationError(f"{which} has no {name}: give a text.")
        texts[name] = text.strip()
    return Allowance(**texts, expires=_day(entry.get("expires"), which))


def _day(value: Any, which: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{which} has no date in expires ({value!r}): give the last day on which it holds, as 2026-12-31."
        ) from None
