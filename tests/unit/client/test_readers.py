"""Readers and sets of findings are looked up by name, and an operation of the user's own is described."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.readers import (
    FINDINGS,
    READERS,
    check_required,
    find_findings,
    find_reader,
    findings_of,
)


def test_an_image_scan_finds_four_kinds() -> None:
    kinds = ("image_vulnerabilities", "image_baseline", "image_sensitive_files", "image_malicious_files")
    assert findings_of("IMAGE_SCAN") == findings_of("IMAGE_REGISTRY_PULL") == kinds
    assert findings_of("VUL_CHECK_TASK") == ("vulnerabilities",)
    assert findings_of("SOMETHING_NEW") == ()


def test_vulnerabilities_are_of_five_types_and_app_brings_what_software_composition_analysis_finds() -> None:
    reads = find_findings("vulnerabilities").reads
    assert [read.params["Type"] for read in reads] == ["cve", "sys", "cms", "app", "emg"]
    assert [read.params.get("AttachTypes") for read in reads] == [None, None, None, "sca", None]


def test_every_set_reads_what_the_table_has_with_all_that_is_required() -> None:
    for one in FINDINGS.values():
        for read in one.reads:
            check_required(READERS[read.action], read.params)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vulnerability", "did you mean vulnerabilities"),
        ("xyz", "not known; there are: vulnerabilities, image_vulnerabilities"),
        (None, "None is not known"),
    ],
)
def test_an_unknown_set_is_named_with_those_there_are(name: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        find_findings(name)


def test_an_operation_that_no_table_has_works_with_its_list_named() -> None:
    reader = find_reader("ListGroups", records="Groups", key="GroupId", paging="token", page_size=7)
    assert (reader.records, reader.key, reader.paging, reader.page_size) == ("Groups", ("GroupId",), "token", 7)
    assert (reader.lang, reader.accounts, reader.required) == (False, False, ())


def test_what_is_given_wins_over_the_table() -> None:
    reader = find_reader("DescribeVulList", key=["Uuid", "Name"], paging="page", page_size=20)
    assert (reader.records, reader.key, reader.paging, reader.page_size) == ("VulRecords", ("Uuid", "Name"), "page", 20)
    assert find_reader("DescribeVulList") == READERS["DescribeVulList"]


@pytest.mark.parametrize(
    ("action", "how", "text"),
    [
        ("DescribeVulLst", {}, "records is missing: DescribeVulLst .*did you mean DescribeVulList"),
        ("Xyz", {}, "records is missing: Xyz .*; there are: DescribeVulList"),
        ("no name", {}, "action 'no name' is not the name"),
        ("ListGroups", {"records": "Groups", "paging": "pages"}, "paging must be one of page, token, none"),
        ("DescribeSuspEvents", {"paging": "token"}, "paging must be left out for DescribeSuspEvents"),
        ("ListGroups", {"records": "Groups", "page_size": 0}, "page_size must be a whole number from 1, not 0"),
        ("ListGroups", {"records": "Groups", "page_size": True}, "page_size must be a whole number"),
    ],
)
def test_what_cannot_be_read_is_named_before_a_request(action: str, how: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        find_reader(action, **how)


def test_a_parameter_that_is_required_is_named() -> None:
    with pytest.raises(ConfigurationError, match="Type is missing: DescribeVulList cannot be read without it"):
        check_required(READERS["DescribeVulList"], {"Type": ""})
    check_required(READERS["DescribeImageBaselineCheckResult"], {})  # it is read for each image
