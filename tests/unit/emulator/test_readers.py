"""The emulator's lists of findings: in pages, by number and by token, from a seed, and as the scans left them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_aegis.client.readers import ACCOUNT, FINDINGS, READERS, Reader
from airflow_provider_aegis.emulator.records import RECORDS
from tests.unit.emulator.support import Caller, make_caller

LANGS: tuple[dict[str, Any], ...] = ({}, {"Lang": "en"})
CVE: dict[str, Any] = {"Type": "cve"}


def read(caller: Caller, action: str, *, size: int = 10, by_token: bool = False, **params: Any) -> list[dict[str, Any]]:
    """Read a list as it is documented, page by page until one is short."""
    reader, records, page = READERS[action], [], 0
    token: dict[str, Any] = {}
    while True:
        page += 1
        paging = {"UseNextToken": True, **token} if by_token else {"CurrentPage": page}
        payload = caller.ask(action, PageSize=size, **paging, **params).payload
        records += payload[reader.records]
        token = {"NextToken": payload.get("NextToken", payload.get("PageInfo", {}).get("NextToken"))}
        if not token["NextToken"] if by_token else len(payload[reader.records]) < size:
            return records


def wanted(reader: Reader) -> dict[str, Any]:
    hanging = (reader.for_each.param,) if reader.for_each else ()
    return dict.fromkeys((*reader.required, *hanging), "1")


def ids(records: list[dict[str, Any]], name: str = "PrimaryId") -> list[int]:
    return [record[name] for record in records]


def test_every_reader_of_the_table_is_served() -> None:
    caller = make_caller(findings=25)
    assert set(RECORDS) | {"DescribeMonitorAccounts"} == set(READERS)
    for action, reader in READERS.items():
        answered = caller.ask(action, CurrentPage=1, PageSize=10, **wanted(reader))
        assert answered.status == 200, answered.payload
        assert isinstance(answered.payload[reader.records], list)


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_a_reader_is_refused_without_what_it_needs(reader: Reader) -> None:
    caller = make_caller()
    for name in wanted(reader):
        left = {key: value for key, value in wanted(reader).items() if key != name}
        assert caller.ask(reader.action, **left).code == "MissingParameter"


@pytest.mark.parametrize("findings", [0, 1, 20, 25, 1_000_000])
def test_a_list_is_as_long_as_it_is_set_and_its_records_differ(findings: int) -> None:
    caller = make_caller(findings=findings)
    first = caller.ask("DescribeVulList", CurrentPage=1, PageSize=100, **CVE).payload
    assert first["TotalCount"] == findings
    last = max(1, -(-findings // 100))
    assert len(caller.ask("DescribeVulList", CurrentPage=last, PageSize=100, **CVE).payload["VulRecords"]) > 0 or not (
        findings
    )
    assert caller.ask("DescribeVulList", CurrentPage=last + 1, PageSize=100, **CVE).payload["VulRecords"] == []
    if findings <= 25:
        records = read(caller, "DescribeVulList", **CVE)
        assert len(set(ids(records))) == len(records) == findings


def test_equal_seeds_give_equal_records_and_others_give_others() -> None:
    one, same, other = (read(make_caller(seed=seed), "DescribeVulList", **CVE) for seed in (1, 1, 2))
    assert one == same != other


def test_texts_are_chinese_unless_english_is_asked_for() -> None:
    caller = make_caller()
    chinese, english = (
        caller.ask("DescribeVulList", **CVE, **lang).payload["VulRecords"][0]["AliasName"] for lang in LANGS
    )
    assert "安全更新" in chinese
    assert english.isascii()


def test_a_page_has_no_more_than_the_limit_and_says_so() -> None:
    payload = make_caller(page_limit=7).ask("DescribeVulList", CurrentPage=2, PageSize=100, **CVE).payload
    assert (len(payload["VulRecords"]), payload["PageSize"], payload["CurrentPage"]) == (7, 7, 2)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5"])
def test_a_page_that_is_no_number_is_refused(page: str) -> None:
    assert make_caller().ask("DescribeVulList", CurrentPage=page, **CVE).code == "InvalidParameter"
    assert make_caller().ask("DescribeVulList", UseNextToken=True, NextToken=page, **CVE).code == "InvalidParameter"


def test_numbers_of_a_page_can_be_texts() -> None:
    info = make_caller(page_counts_as_text=True).ask("ListCheckResult", CurrentPage=1, PageSize=5).payload["PageInfo"]
    assert info == {"CurrentPage": "1", "PageSize": "5", "TotalCount": "25"}


def test_records_that_appear_come_twice_and_move_the_total() -> None:
    caller = make_caller(findings=30, appearing=2)
    got = ids(read(caller, "DescribeVulList", **CVE))
    assert len(got) - len(set(got)) == 6
    assert caller.ask("DescribeVulList", CurrentPage=1, PageSize=10, **CVE).payload["TotalCount"] == 30
    assert caller.ask("DescribeVulList", CurrentPage=2, PageSize=10, **CVE).payload["TotalCount"] == 32


def test_records_that_vanish_take_others_along_by_number_and_not_by_token() -> None:
    caller = make_caller(findings=30, vanishing=2)
    assert len(read(caller, "DescribeVulList", **CVE)) == 26
    assert len(read(caller, "DescribeVulList", by_token=True, **CVE)) == 30


def test_a_total_can_drift() -> None:
    caller = make_caller(total_drift=3)
    totals = [
        caller.ask("ListCheckResult", CurrentPage=page, PageSize=5).payload["PageInfo"]["TotalCount"]
        for page in (1, 2, 3)
    ]
    assert totals == [25, 28, 31]


def test_pages_by_token_are_those_of_the_list_when_it_was_begun() -> None:
    caller = make_caller(findings=25)
    payload = caller.ask("DescribeVulList", PageSize=20, UseNextToken=True, **CVE).payload
    assert "TotalCount" not in payload
    caller.start()
    caller.clock.advance(11)
    rest = caller.ask("DescribeVulList", PageSize=20, UseNextToken=True, NextToken=payload["NextToken"], **CVE).payload
    assert "NextToken" not in rest
    assert len(payload["VulRecords"] + rest["VulRecords"]) == 25


@pytest.mark.parametrize(
    "findings", [name for name, one in FINDINGS.items() if one.once_task_types and name != "assets"]
)
def test_a_scan_that_succeeds_finds_two_that_are_new_and_misses_one_that_is_fixed(findings: str) -> None:
    caller = make_caller()
    one = FINDINGS[findings]
    action, params = one.reads[0].action, dict(one.reads[0].params)
    if READERS[action].for_each:
        params["ImageUuid"] = caller.ask("DescribeImageInstances").payload["ImageInstanceList"][0]["Uuid"]
    before = read(caller, action, **params)
    caller.start(one.once_task_types[0])
    assert read(caller, action, **params) == before
    caller.clock.advance(11)
    after = read(caller, action, **params)
    assert len([record for record in after if record not in before]) == 2
    assert [record for record in before if record not in after] == before[:1]


def test_a_scan_that_fails_changes_nothing_and_neither_does_one_for_something_else() -> None:
    caller = make_caller(outcome="FAIL")
    before = read(caller, "DescribeVulList", **CVE)
    caller.start()
    caller.clock.advance(11)
    caller.account.set(outcome="SUCCESS")
    caller.start("IMAGE_SCAN")
    caller.clock.advance(11)
    assert read(caller, "DescribeVulList", **CVE) == before


def test_a_virus_scan_finds_more_on_the_first_machine() -> None:
    caller = make_caller()
    machines = [one["Uuid"] for one in read(caller, "ListVirusScanMachine")]
    before = [ids(read(caller, "ListVirusScanMachineEvent", Uuid=uuid), "EventId") for uuid in machines]
    caller.ask("CreateVirusScanOnceTask")
    after = [ids(read(caller, "ListVirusScanMachineEvent", Uuid=uuid), "EventId") for uuid in machines]
    assert [len(set(new) - set(old)) for old, new in zip(before, after, strict=True)] == [2, 0, 0, 0, 0]
    assert len({event for events in after for event in events}) == sum(map(len, after))


def test_machines_that_do_not_report_have_no_findings_and_are_offline_in_the_inventory() -> None:
    caller = make_caller(findings=1000, machines=7, requests_per_second=0)
    everything = read(caller, "DescribeVulList", **CVE)
    caller.account.set(offline_machines=3)
    machines = read(caller, "DescribeCloudCenterInstances")
    online = {one["Uuid"] for one in machines if one["ClientStatus"] == "online"}
    assert (len(machines), len(online)) == (7, 4)
    left = read(caller, "DescribeVulList", **CVE)
    assert left == [{**one, "Online": True} for one in everything if one["Uuid"] in online]
    caller.account.set(offline_machines=7)
    assert read(caller, "DescribeVulList", **CVE) == []


def test_members_of_an_organisation_have_findings_of_their_own_or_cannot_be_read() -> None:
    caller = make_caller(accounts=["11", "12", "13"], denied_accounts=["12"], free_accounts=["13"])
    payload = caller.ask("DescribeMonitorAccounts").payload
    own = payload["AccountIds"][0]
    assert payload["AccountIds"] == [own, "11", "12", "13"]
    assert {one["OperatorUid"] for one in payload["AccountIdInfos"]} == {own}
    assert read(caller, "DescribeVulList", **CVE) != read(
        caller, "DescribeVulList", **CVE, ResourceDirectoryAccountId="11"
    )
    codes = [caller.ask("DescribeVulList", **CVE, **{ACCOUNT: account}).code for account in ("12", "13", "14")]
    assert codes == ["NoPermission", "FreeVersionNotPermit", "NoPermission"]


def test_no_two_pages_have_a_record_in_common() -> None:
    caller = make_caller(findings=300, offline_machines=2)
    pages = [
        set(ids(caller.ask("DescribeVulList", CurrentPage=page, PageSize=100, **CVE).payload["VulRecords"]))
        for page in (1, 2)
    ]
    assert all(not one & other for one, other in pairwise(pages))
    assert [len(page) for page in pages] == [100, 80]
