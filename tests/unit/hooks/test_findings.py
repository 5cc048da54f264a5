"""A hook reads lists of findings to their end, for one account or a whole organisation, and says what came of it."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    ConfigurationError,
    DeadlineExceededError,
    PermissionDeniedError,
    ServiceError,
)
from airflow_provider_aegis.client.flows import exchange
from airflow_provider_aegis.client.readers import ACCOUNT, FINDINGS, READERS
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.findings.fields import FIELDS
from airflow_provider_aegis.hooks import findings as module
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.hooks.findings import members_of

CVE: dict[str, Any] = {"Type": "cve"}


def asked(sas: Emulator, action: str, *names: str) -> list[tuple[str | None, ...]]:
    return [tuple(line.params.get(name) for name in names) for line in sas.log if line.action == action]


def test_a_set_is_read_from_all_its_lists(sas: Emulator) -> None:
    sas.set(findings=250)
    with AegisHook() as hook:
        found = hook.read_findings("vulnerabilities")
        types = Counter(record["Type"] for record in found)
    assert types == {"cve": 250, "sys": 25, "cms": 10, "app": 25, "emg": 10}
    assert (found.counts.records, found.counts.pages, found.counts.duplicates) == (320, 7, 0)
    assert len(set(found.counts.request_ids)) == 7
    assert (found.accounts, found.skipped) == ([], {})
    assert set(asked(sas, "DescribeVulList", "AttachTypes")[4:]) == {("sca",), (None,)}


def test_records_are_as_the_api_gives_them(sas: Emulator) -> None:
    with AegisHook() as hook:
        payload = hook.call("DescribeVulList", **CVE, Lang="en", CurrentPage=1, PageSize=50)
        assert list(hook.read_records("DescribeVulList", **CVE)) == payload["VulRecords"]


@pytest.mark.parametrize("findings", [0, 1, 99, 100, 101, 1234])
@pytest.mark.parametrize("paging", ["token", "page"])
def test_every_record_is_read_once(findings: int, paging: Any, sas: Emulator) -> None:
    sas.set(findings=findings, page_limit=40)
    with AegisHook() as hook:
        found = hook.read_records("DescribeVulList", paging=paging, **CVE)
        ids = [record["PrimaryId"] for record in found]
    assert len(ids) == len(set(ids)) == findings
    assert ids == sorted(ids)  # in order, though pages come side by side
    assert found.counts.claimed == (None if paging == "token" else findings)


def test_numbers_that_are_texts_are_numbers(sas: Emulator) -> None:
    sas.set(findings=230, page_counts_as_text=True)
    with AegisHook() as hook:
        found = hook.read_records("DescribeSuspEvents")
        assert len(list(found)) == 230
    assert (found.counts.claimed, found.counts.pages) == (230, 3)


def test_what_appears_meanwhile_comes_twice_and_is_dropped_and_counted(sas: Emulator) -> None:
    sas.set(findings=300, appearing=3, page_limit=50)
    with AegisHook() as hook:
        found = hook.read_records("DescribeVulList", paging="page", **CVE)
        ids = [record["PrimaryId"] for record in found]
    assert len(ids) == len(set(ids)) >= 300
    assert found.counts.duplicates > 0
    assert (found.counts.moved, (found.counts.claimed or 0) > 300) == (1, True)


def test_by_token_nothing_appears_nor_vanishes_meanwhile(sas: Emulator) -> None:
    sas.set(findings=300, appearing=3, vanishing=7, page_limit=50)
    with AegisHook() as hook:
        found = hook.read_records("DescribeVulList", **CVE)
        assert len(list(found)) == 300
    assert (found.counts.duplicates, found.counts.moved) == (0, 0)


def test_a_total_that_is_too_large_is_reported_and_not_believed(sas: Emulator) -> None:
    sas.set(findings=250, total_drift=1000)
    with AegisHook() as hook:
        found = hook.read_records("ListCheckResult")
        assert len(list(found)) == 250
    assert found.counts.moved == 1


def test_a_list_below_another_is_read_for_each_of_its_records_which_gives_its_key(sas: Emulator) -> None:
    sas.set(findings=40, machines=3)
    with AegisHook() as hook:
        found = list(hook.read_findings("baseline"))
        (only,) = {record["CheckId"] for record in hook.read_records("ListCheckItemWarningMachine", CheckId=1007)}
    assert len({(record["CheckId"], record["Uuid"]) for record in found}) == len(found) == 120
    assert all(record["CheckLevel"] in ("high", "medium", "low") for record in found)
    assert only == 1007


def test_virus_events_have_their_machine(sas: Emulator) -> None:
    with AegisHook() as hook:
        machines = {record["Uuid"] for record in hook.read_records("ListVirusScanMachine")}
        found = list(hook.read_findings("virus_events"))
    assert {record["Uuid"] for record in found} == machines
    assert len(found) == 15


def test_a_page_that_is_refused_for_a_while_is_had_in_the_end(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_ATTEMPTS", 2)
    sas.set(findings=900)
    sas.inject("ListCheckResult", Fault.error("ServiceUnavailable"), probability=0.3, times=9)
    with AegisHook() as hook:
        assert len(list(hook.read_records("ListCheckResult"))) == 900


def test_a_page_that_is_lost_for_good_fails_the_read(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_PATIENCE_SECONDS", 0.3)
    sas.set(findings=900)
    with AegisHook() as hook:
        found = hook.read_records("ListCheckResult")
        got = [next(found) for _ in range(100)]
        sas.inject("ListCheckResult", Fault.error("ServiceUnavailable"), seconds=60)
        with pytest.raises((ServiceError, DeadlineExceededError)):
            next(found)
    assert len({record["CheckId"] for record in got}) == found.counts.records == 100


@pytest.mark.parametrize("lang", [None, "zh"])
def test_texts_are_in_the_language_of_the_connection(
    lang: str | None, sas: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"lang": lang} if lang else {}
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", sas.connection_json(max_requests_per_second=100, **more))
    with AegisHook() as hook:
        titles = {record["AliasName"].isascii() for record in hook.read_findings("vulnerabilities")}
        assert titles == {lang is None}
        assert next(hook.read_records("DescribeVulList", Lang="en", **CVE))["AliasName"].isascii()
        list(hook.read_findings("exposures"))
    assert asked(sas, "DescribeExposedInstanceList", "Lang") == [(None,)]  # it takes none


def test_a_whole_organisation_is_read_and_who_cannot_be_is_told(sas: Emulator) -> None:
    sas.set(accounts=["11", "12", "13"], denied_accounts=["12"], free_accounts=["13"])
    with AegisHook() as hook:
        found = hook.read_findings("cloud_configuration", accounts="all")
        by_account = Counter(record[ACCOUNT] for record in found)
    own = found.accounts[0]
    assert found.accounts == [own, "11"]
    assert by_account == {own: 25, "11": 25}
    assert {account: reason.partition(":")[0] for account, reason in found.skipped.items()} == {
        "12": "NoPermission",
        "13": "FreeVersionNotPermit",
    }
    assert asked(sas, "ListCheckResult", ACCOUNT) == [(None,), ("11",), ("12",), ("13",)]


def test_accounts_can_be_named(sas: Emulator) -> None:
    sas.set(accounts=["11", "12"])
    with AegisHook() as hook:
        found = hook.read_records("DescribeVulList", accounts=["12", "12"], **CVE)
        assert {record[ACCOUNT] for record in found} == {"12"}
    assert found.accounts == ["12"]
    assert sas.requests["DescribeMonitorAccounts"] == 0


def test_an_organisation_without_members_is_the_own_account(sas: Emulator) -> None:
    with AegisHook() as hook:
        found = hook.read_findings("alerts", accounts="all")
        assert [ACCOUNT in record for record in found] == [False] * 25
    assert found.accounts == [""]


def test_the_own_account_is_read_without_being_named() -> None:
    infos: list[dict[str, Any]] = [
        {"AccountId": "1", "OperatorUid": "9"},
        {"AccountId": "9", "OperatorUid": "9"},
        {"AccountId": None},
    ]
    assert members_of(infos) == [("1", True), ("9", False)]
    assert members_of(infos[:1]) == [("", False), ("1", True)]


def test_an_account_that_fails_for_another_reason_fails_the_read(sas: Emulator) -> None:
    sas.set(accounts=["11"])
    with AegisHook() as hook:
        found = hook.read_findings("alerts", accounts=["11"])
        next(found)
        sas.set(denied=["DescribeMonitorAccounts"])
        with pytest.raises(PermissionDeniedError, match="DescribeMonitorAccounts"):
            next(hook.read_findings("alerts", accounts="all"))
        sas.set(denied=["DescribeSuspEvents"])
        with pytest.raises(PermissionDeniedError, match="DescribeSuspEvents"):
            next(hook.read_findings("alerts"))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda hook: hook.read_findings("vulnerabilitis"), "did you mean vulnerabilities"),
        (lambda hook: hook.read_records("ListGroups"), "records is missing: ListGroups"),
        (lambda hook: hook.read_records("DescribeVulList"), "Type is missing"),
        (lambda hook: hook.read_findings("alerts", accounts=[]), "accounts must be 'all' or a list"),
        (lambda hook: hook.read_findings("alerts", accounts="11"), "accounts must be 'all' or a list"),
        (lambda hook: hook.read_findings("alerts", accounts=["me"]), "accounts must be 'all' or a list"),
        (lambda hook: hook.read_findings("virus_events", accounts="all"), "accounts must be left out: ListVirusScan"),
    ],
)
def test_what_cannot_be_read_is_named_before_the_first_request(read: Any, text: str, sas: Emulator) -> None:
    with AegisHook() as hook, pytest.raises(ConfigurationError, match=text):
        read(hook)
    assert sas.requests.total() == 0


def test_no_more_is_under_way_than_the_ceiling_lets_go_in_some_seconds(
    sas: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sas.set(findings=900)
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", sas.connection_json(max_requests_per_second=0.5))
    with AegisHook() as hook:
        assert next(hook.read_records("ListCheckResult"))
    assert sas.requests["ListCheckResult"] == 1


def test_an_iteration_that_is_left_off_says_how_far_it_came(sas: Emulator) -> None:
    sas.set(findings=900)
    with AegisHook() as hook:
        found = hook.read_records("ListCheckResult")
        assert found.counts.records == 0
        next(found)
    assert (found.counts.records, found.counts.claimed) == (100, 900)


def test_the_fields_of_every_set_are_known_and_its_key_is_in_the_records(sas: Emulator) -> None:
    assert set(FIELDS) == set(FINDINGS)
    with AegisHook() as hook:
        for name, fields in FIELDS.items():
            rows = [fields.row(record) for record in hook.read_findings(name)]
            assert len({row.finding_key for row in rows}) == len(rows) > 0, name


def test_reading_warns_of_nothing(sas: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with AegisHook() as hook, caplog.at_level(logging.WARNING):
        for action in READERS:
            if not READERS[action].required:
                list(hook.read_records(action))
    assert caplog.text == ""


def test_a_count_is_waited_for_until_it_stands_still(sas: Emulator) -> None:
    with AegisHook() as hook:
        assert hook.settle_findings("image_vulnerabilities", pause=0.01).looks == (25, 25)
        assert hook.settle_findings("vulnerabilities", pause=0.01).looks == (25 + 2 + 1 + 2 + 1,) * 2
        assert hook.settle_findings("image_baseline", pause=0.01).looks == (3, 3)  # images
        assert hook.settle_findings("image_baseline", ImageUuid="image-emulated-000001", pause=0.01).agreed
        moving = hook.settle_findings("alerts", longest=0)
    assert (moving.agreed, moving.looks) == (False, (25,))
