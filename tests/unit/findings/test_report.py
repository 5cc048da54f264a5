"""Report: one file without script or anything from elsewhere, in which every text from outside is escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_aegis.client.readers import ACCOUNT
from airflow_provider_aegis.findings.diff import Ages
from airflow_provider_aegis.findings.fields import FIELDS
from airflow_provider_aegis.findings.judgement import judge, read_allow_list
from airflow_provider_aegis.findings.manifest import Manifest, Previous, SkippedAccount
from airflow_provider_aegis.findings.report import Report, render
from tests.unit.findings.sample import vulnerability

OF = FIELDS["vulnerabilities"]
CREATED = 1_764_000_000_000
DAY = 86_400_000
EVIL = "<script>alert(1)</script>\"'><img src=//evil onerror=alert(1)>{{ 7 * 7 }}"
VOID = {"meta", "br", "rect", "line"}
MANIFEST = Manifest(
    uri="s3://lake/dt=1/_manifest.json",
    owner="dag/run",
    created_ms=CREATED,
    findings="vulnerabilities",
    file_format="parquet",
    shape="api",
    parts=(),
    records=20,
    pages=2,
    duplicates=3,
    claimed_total=21,
    request_ids=("REQ-1", "REQ-2", "REQ-3"),
    accounts=("1001",),
    skipped_accounts=(SkippedAccount(account="1003", reason="FreeVersionNotPermit"),),
    once_task_id="task-1",
    previous=Previous(uri="s3://lake/dt=0/_manifest.json", sha256="0"),
)
CHANGES = {
    "new": {"asap": 2, "later": 1, "nntf": 0},
    "fixed": {"asap": 5, "later": 0, "nntf": 0},
    "unseen": {"asap": 0, "later": 1_234, "nntf": 0},
}
AGES = {
    "asap": Ages(open=5, median_days=3.0, oldest_days=40.0, overdue=4),
    "later": Ages(open=5, median_days=None, oldest_days=None, overdue=0),
}


def report(*records: dict[str, Any], max_allowed: Any = None, **changes: Any) -> Report:
    rows = [OF.row(record) for record in records]
    expired = read_allow_list([{"name": "alilinux3:sa-3", "owner": EVIL, "reason": "r", "expires": "2020-01-01"}])
    judgement = judge(rows, max_allowed=max_allowed, of=OF, allow_list=expired, today=date(2026, 11, 24))
    return Report(**{"manifest": MANIFEST, "fields": OF, "judgement": judgement, **changes})


class Page(HTMLParser):
    """What a browser sees: tags, their attributes and the text; fails where tags are not closed."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = (
            list[str](),
            list[tuple[str, str]](),
            list[str](),
            list[str](),
        )
        self.feed(html.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " | ".join(self.texts)


def shown(one: Report) -> Page:
    return Page(render(one))


def full() -> Report:
    return report(
        *(vulnerability(number, FirstTs=CREATED - number * DAY, **{ACCOUNT: "1001"}) for number in range(1, 20)),
        max_allowed={"asap": 1},
        changes=CHANGES,
        ages=AGES,
        sla={"asap": timedelta(days=7)},
        facts={"DAG": "nightly"},
    )


def test_the_report_shows_what_was_found() -> None:
    text = shown(full()).text
    assert "Security Center: vulnerabilities | 2025-11-24 16:00 UTC" in text
    assert "Too many findings: 6 asap (1 allowed)" in text
    assert (
        "19 | Open | 3 | New | 0 | Reopened | 0 | Worse | 0 | Better | 0 | Waived | 5 | Fixed | 1,234 | Not seen"
        in text
    )
    assert "4 | Overdue" in text
    assert "asap | 6 | later | 7 | nntf | 6" in text
    assert "New | 2 asap, 1 later | Reopened | none" in text
    assert "median 3 d, oldest 40 d, 4 of 5 overdue | later | no record says when it was first seen" in text
    assert "1003 | FreeVersionNotPermit" in text


def test_the_worst_ten_are_listed_with_their_age() -> None:
    page = shown(full())
    assert page.tags.count("tr") == 1 + 10 + 2
    first = "asap | ALINUX3-SA-2026:0018: openssl security update | alilinux3:sa-18 | web-4 | i-bp14 | 1001 |"
    assert f"Age | {first} CVE-2026-1018, CVE-2026-2018 | 18 d" in page.text


def test_the_report_says_how_it_was_made() -> None:
    text = shown(full()).text
    for line in (
        "Records | 20 from 2 pages, 3 duplicates left out; Security Center named 21",
        "Accounts | 1 read, 1 skipped",
        "Scan | task-1",
        "Manifest | s3://lake/dt=1/_manifest.json",
        f"SHA-256 | {MANIFEST.sha256}",
        "Compared with | s3://lake/dt=0/_manifest.json",
        "RequestIds | REQ-1 to REQ-3",
        "DAG | nightly",
        "Made by | airflow-provider-aegis",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("records", "max_allowed", "text"),
    [
        ([], None, "No open findings"),
        ([vulnerability(3)], None, "1 open; no limits were set"),
        ([vulnerability(3)], {"asap": 1}, "Findings are within what is allowed"),
        ([vulnerability(3)], {"asap": 0}, "Too many findings: 1 asap (0 allowed)"),
    ],
)
def test_the_verdict(records: list[dict[str, Any]], max_allowed: Any, text: str) -> None:
    assert text in shown(report(*records, max_allowed=max_allowed)).text


def test_without_a_comparison_ages_or_skipped_accounts_their_parts_are_left_out() -> None:
    one = report(vulnerability(3))
    text = shown(replace(one, manifest=replace(MANIFEST, skipped_accounts=(), previous=None, request_ids=()))).text
    for absent in ("Since the export before", "the gap is the median", "could not be read", "Overdue", "RequestIds"):
        assert absent not in text
    assert "Compared with | nothing" in text


def evil() -> Report:
    record = dict.fromkeys(vulnerability(), EVIL) | {"Status": 1, "FirstTs": 1, ACCOUNT: EVIL}
    ages = {EVIL: AGES["asap"]}
    made = report(record, vulnerability(3), changes={"new": {EVIL: 1}}, ages=ages, facts={EVIL: EVIL})
    manifest = replace(
        MANIFEST,
        uri=EVIL,
        findings=EVIL,
        once_task_id=EVIL,
        request_ids=(EVIL,),
        skipped_accounts=(SkippedAccount(account=EVIL, reason=EVIL),),
        previous=Previous(uri=EVIL, sha256=EVIL),
    )
    return replace(made, manifest=manifest)


def test_every_text_from_outside_is_escaped() -> None:
    page = shown(evil())
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    # Title, name, machine, address, CVEs, account, urgency, reasons, facts: each is there as a text.
    assert page.text.count("<script>alert(1)</script>") >= 15
    assert "49" not in page.text.replace("1490", "")


@pytest.mark.parametrize("made", [full(), evil()], ids=["usual", "evil"])
def test_nothing_is_run_and_nothing_loaded(made: Report) -> None:
    html = render(made).decode()
    page = Page(html.encode())
    assert not {"script", "link", "iframe", "object", "embed", "form", "base", "a", "use", "image"} & set(page.tags)
    assert not {"href", "src", "srcset", "action", "style", "xlink:href"} & {name for name, _ in page.attributes}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_a_text_that_would_turn_the_line_around_is_escaped() -> None:
    html = render(report(vulnerability(3, AliasName="exe.\u202egpj", Name="a\x00\x1b[2Jb\ud800"))).decode()
    assert "exe.\\u202egpj" in html
    assert not re.search("[\x00\x1b\u202e]", html)


def test_bars_stay_within_their_chart() -> None:
    html = render(full()).decode()
    assert max(float(width) for width in re.findall(r'width="([\d.]+)"', html)) <= 560
    assert min(float(width) for width in re.findall(r'width="([\d.]+)"', html)) >= 0
