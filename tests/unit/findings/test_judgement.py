"""Judgement: what counts, what is allowed for a time, and why a gate is shut."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.findings.fields import FIELDS, Row
from airflow_provider_aegis.findings.judgement import Allowance, Judgement, check_max_allowed, judge, read_allow_list
from tests.unit.findings.sample import vulnerability

OF = FIELDS["vulnerabilities"]
TODAY = date(2026, 11, 24)


def row(number: int = 1, **changes: Any) -> Row:
    return OF.row(vulnerability(number, **{"Necessity": "asap", **changes}))


def judged(*rows: Row, max_allowed: Any = None, allow_list: Any = ()) -> Judgement:
    return judge(rows, max_allowed=max_allowed or {"asap": 0}, of=OF, allow_list=allow_list, today=TODAY)


def entry(**changes: Any) -> dict[str, Any]:
    known = {"name": "alilinux3:sa-1", "owner": "ops", "reason": "no route to it", "expires": "2026-12-31"}
    return {**known, **changes}


def test_no_more_than_allowed_is_no_breach() -> None:
    judgement = judged(row(1), row(2), row(3, Necessity="later"), max_allowed={"asap": 2, "later": 20})
    assert not judgement.breached
    assert judgement.counts == {"asap": 2, "later": 1, "nntf": 0}
    assert str(judgement) == "Findings are within what is allowed: 2 asap, 1 later, 0 nntf."


def test_one_more_than_allowed_is_a_breach_that_says_why() -> None:
    judgement = judged(row(1), row(2), row(3, Necessity="later"), max_allowed={"asap": 1, "later": 0, "nntf": 0})
    assert judgement.breaches == {"asap": (2, 1), "later": (1, 0)}
    assert str(judgement).startswith(
        "Too many findings: 2 asap (allowed: 1), 1 later (allowed: 0). All that count: 2 asap, 1 later, 0 nntf. "
        "The worst: ALINUX3-SA-2026:0001: openssl security update [asap] on web-1; "
    )


def test_without_limits_findings_are_counted_and_nothing_breaches() -> None:
    judgement = judge([row(1)], max_allowed=None, of=OF, today=TODAY)
    assert (judgement.counts["asap"], judgement.limits, judgement.breached) == (1, {}, False)


def test_an_urgency_without_a_limit_never_breaches() -> None:
    assert not judged(row(1, Necessity="later"), max_allowed={"asap": 0}).breached


@pytest.mark.parametrize("status", [7, 10, 12, 20])
def test_what_is_fixed_or_waived_does_not_count(status: int) -> None:
    assert judged(row(Status=status)).counts["asap"] == 0


def test_the_worst_ten_are_the_most_severe_and_of_those_the_oldest() -> None:
    rows = [row(number, Necessity="later") for number in range(50)]
    rows += [row(number, FirstTs=2_000_000_000_000 - number) for number in range(100, 104)]
    worst = judged(*rows).worst
    assert [one.urgency for one in worst] == ["asap"] * 4 + ["later"] * 6
    assert [one.name[-3:] for one in worst[:4]] == ["103", "102", "101", "100"]
    assert [one.first_seen_ms for one in worst[4:]] == [1_760_000_000_000 + number for number in range(6)]


@pytest.mark.parametrize("urgency", ["", "tomorrow", None])
def test_an_urgency_that_nobody_documented_is_counted_and_can_be_limited(urgency: str | None) -> None:
    judgement = judged(row(Necessity=urgency), max_allowed={"unknown": 0})
    assert judgement.counts == {"asap": 0, "later": 0, "nntf": 0, "unknown": 1}
    assert judgement.breaches == {"unknown": (1, 0)}


def test_an_allowed_finding_does_not_count() -> None:
    judgement = judged(row(1), row(2), allow_list=read_allow_list([entry()]), max_allowed={"asap": 1})
    assert (judgement.counts["asap"], judgement.allowed, judgement.breached) == (1, 1, False)
    assert "The allow-list took out 1." in str(judgement)


def test_an_allowance_holds_on_its_last_day() -> None:
    assert judged(row(1), allow_list=read_allow_list([entry(expires="2026-11-24")])).allowed == 1


def test_an_expired_allowance_counts_again_and_is_named() -> None:
    allow_list = read_allow_list([entry(expires="2026-11-23"), entry(name="not-found", expires="2026-11-23")])
    judgement = judged(row(1), row(1, Uuid="other"), allow_list=allow_list)
    assert judgement.breaches == {"asap": (2, 0)}
    assert judgement.expired == allow_list[:1]
    assert "counted again: alilinux3:sa-1 (until 2026-11-23, owner ops: no route to it)." in str(judgement)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, True),
        ({"name": "/uuid-1/cve/alilinux3:sa-1"}, True),
        ({"name": "alilinux3:sa-2"}, False),
        ({"name": "CVE-2026-1001"}, False),  # the finding has another CVE besides
        ({"name": ""}, False),
        ({"resource": "web-1"}, True),
        ({"resource": "i-bp11"}, True),
        ({"resource": "uuid-1"}, True),
        ({"resource": "web-2"}, False),
    ],
)
def test_what_an_allowance_speaks_of(changes: dict[str, str], allowed: bool) -> None:
    allowance = Allowance(**{**entry(expires=TODAY), **changes})
    assert allowance.matches(row(1)) == allowed


def test_the_only_cve_of_a_finding_can_be_allowed() -> None:
    assert judged(row(Related="CVE-2026-9"), allow_list=read_allow_list([entry(name="CVE-2026-9")])).allowed == 1


def test_an_empty_name_never_allows_what_has_no_cve() -> None:
    with pytest.raises(ConfigurationError, match="has no name"):
        read_allow_list([entry(name=" ")])


@pytest.mark.parametrize("field", ["name", "owner", "reason", "expires"])
@pytest.mark.parametrize("value", [None, "", 7, ["x"]])
def test_an_entry_without_one_of_its_fields_is_refused(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"Entry 2 of the allow-list .* has no (date in )?{field}"):
        read_allow_list([entry(), entry(**{field: value})])


def test_an_entry_without_expiry_is_refused() -> None:
    entries = [{name: value for name, value in entry().items() if name != "expires"}]
    with pytest.raises(ConfigurationError, match=r"\('alilinux3:sa-1'\) has no date in expires \(None\).*2026-12-31"):
        read_allow_list(entries)


def test_a_misspelt_field_is_named() -> None:
    with pytest.raises(ConfigurationError, match="has expiry; use name, owner, reason, expires, resource"):
        read_allow_list([entry(expiry="2026-12-31")])


@pytest.mark.parametrize("entries", [None, {}, "text", ["text"], [None]])
def test_what_is_no_list_of_entries_is_refused(entries: object) -> None:
    with pytest.raises(ConfigurationError, match="allow-list is not a"):
        read_allow_list(entries)


def test_a_date_may_come_from_yaml() -> None:
    expires = [date(2026, 12, 31), datetime(2026, 12, 31, 12), "2026-12-31"]
    assert {one.expires for one in read_allow_list([entry(expires=day) for day in expires])} == {date(2026, 12, 31)}


@pytest.mark.parametrize(
    "value", [None, 3, "asap", [], {}, {"asap": None}, {"asap": "0"}, {"asap": -1}, {"asap": 1.5}, {"asap": True}]
)
def test_limits_that_are_no_numbers_are_refused_and_the_urgencies_named(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"max_allowed.* urgencies: asap, later, nntf, unknown\."):
        check_max_allowed(value, OF)


@pytest.mark.parametrize("urgency", ["high", "", None, 4])
def test_a_limit_for_no_urgency_of_the_set_is_refused(urgency: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"not an urgency of this set.* urgencies: asap, later, nntf, unknown\."
    ):
        check_max_allowed({urgency: 0}, OF)


def test_limits_are_compared_without_case() -> None:
    assert check_max_allowed({"HIGH": 1}, FIELDS["cloud_configuration"]) == {"high": 1}


def test_a_set_without_urgencies_is_limited_as_a_whole() -> None:
    of = FIELDS["exposures"]
    judgement = judge([of.row({"Uuid": "1"})], max_allowed={"unknown": 0}, of=of, today=TODAY)
    assert judgement.breaches == {"unknown": (1, 0)}


def test_memory_does_not_grow_with_the_findings() -> None:
    def peak(number: int) -> int:
        rows: Iterator[Row] = (row(each) for each in range(number))
        tracemalloc.start()
        judge(rows, max_allowed={"asap": 0}, of=OF, today=TODAY)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(5_000) < 1.5 * peak(500) + 20_000
