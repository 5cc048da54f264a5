"""Links: built without a call, on the site of the account, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aegis.client.protocol.endpoints import Site
from airflow_provider_aegis.links import security_center
from airflow_provider_aegis.links.security_center import (
    RequestDiagnosisLink,
    SecurityCenterLink,
    console_address,
    diagnosis_address,
)

LINKS = pytest.mark.parametrize("link", [SecurityCenterLink(), RequestDiagnosisLink()], ids=lambda link: link.name)


@pytest.mark.parametrize(
    ("site", "address"),
    [
        ("china", "https://yundun.console.aliyun.com/?p=sas"),
        ("international", "https://yundun.console.alibabacloud.com/?p=sas"),
    ],
)
def test_the_console_is_that_of_the_site(site: Site, address: str) -> None:
    assert console_address(site) == address


@pytest.mark.parametrize(
    ("site", "known", "address"),
    [
        ("china", {}, "https://api.aliyun.com/troubleshoot?product=Sas&requestId=R"),
        ("china", {"code": "A&B"}, "https://api.aliyun.com/troubleshoot?q=A%26B&product=Sas&requestId=R"),
        (
            "international",
            {"code": "NoPermission"},
            "https://api.alibabacloud.com/troubleshoot?intl_lang=EN_US&q=NoPermission&product=Sas&requestId=R",
        ),
        ("china", {"recommend": "https://api.aliyun.com/troubleshoot?q=X"}, "https://api.aliyun.com/troubleshoot?q=X"),
    ],
)
def test_the_diagnosis_is_that_of_the_request(site: Site, known: dict[str, str], address: str) -> None:
    assert diagnosis_address(site, request_id="R", **known) == address


@LINKS
def test_a_stored_link_is_found_again_by_mapped_and_failed_tasks(link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: dict[tuple[str, int], str] = {}
    ti: Any = SimpleNamespace(map_index=3, xcom_push=lambda key, value: stored.update({(key, 3): value}))
    xcom = SimpleNamespace(get_value=lambda key, ti_key: stored.get((key, ti_key.map_index)))
    monkeypatch.setattr(security_center, "XCom", xcom)
    link.store({"ti": ti}, "https://there")
    assert list(stored) == [(f"_link_{type(link).__name__}", 3)], "where Airflow 3 looks for it"
    assert link.get_link(None, ti_key=ti) == "https://there"
    assert link.get_link(None, ti_key=SimpleNamespace(map_index=4)) == ""
