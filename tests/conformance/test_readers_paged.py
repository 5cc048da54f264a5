"""The official SDK pages through every reader of the emulator, and finds the records that our iterators do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_aegis.client.readers import ACCOUNT, READERS, Reader
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook

pytest.importorskip("alibabacloud_sas20181203")

# The SDK takes the time of day in a way that Python 3.12 and later warn of.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

FINDINGS, PAGE = 130, 50
VALUES = {"Type": "cve", "Name": "x", "Biz": "lkm", "RiskId": "1", "Uuid": "inet-emulated-000000", "CheckId": "1001"}
VALUES["ImageUuid"] = "image-emulated-000001"

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def sas() -> Iterator[Emulator]:
    with Emulator(requests_per_second=0, findings=FINDINGS, accounts=["11"]) as emulator:
        yield emulator


@pytest.fixture
def hook(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[AegisHook]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", sas.connection_json(max_requests_per_second=100))
    with AegisHook() as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(sas: Emulator) -> Ask:
    from alibabacloud_sas20181203 import models
    from alibabacloud_sas20181203.client import Client
    from alibabacloud_tea_openapi.utils_models import Config
    from darabonba.runtime import RuntimeOptions

    keys = {"access_key_id": sas.access_key_id, "access_key_secret": sas.access_key_secret}
    client = Client(Config(**keys, endpoint=f"{sas.host}:{sas.port}", protocol="http"))

    def call(action: str, **params: Any) -> dict[str, Any]:
        model = getattr(models, f"{action}Request", None)
        method = getattr(client, f"{snake(action)}_with_options")
        asked = (model().from_map(params), RuntimeOptions()) if model else (RuntimeOptions(),)
        body: dict[str, Any] = method(*asked).body.to_map()
        return body

    return call


def snake(action: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()


def page_through(ask: Ask, reader: Reader, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Read as the vendor's examples do: by number until a page is short, or by token until there is none."""
    if reader.paging == "none":
        return list(ask(reader.action, **params)[reader.records])
    records: list[dict[str, Any]] = []
    size = str(PAGE) if "PageSize" in reader.texts else PAGE
    if reader.paging == "token":
        token: dict[str, Any] = {}
        while True:
            body = ask(reader.action, **params, UseNextToken=True, PageSize=size, **token)
            records += body[reader.records]
            said = body if reader.token == "top" else body["PageInfo"]
            if not said.get("NextToken"):
                return records
            token = {"NextToken": said["NextToken"]}
    for number in range(1, 99):
        current = str(number) if "CurrentPage" in reader.texts else number
        body = ask(reader.action, **params, CurrentPage=current, PageSize=size)
        records += body[reader.records]
        if reader.total:
            assert int((body if reader.total == "top" else body["PageInfo"])["TotalCount"]) >= len(records)
        if len(body[reader.records]) < PAGE:
            break
    return records


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_the_sdk_and_we_find_the_same_records(reader: Reader, hook: AegisHook, ask: Ask) -> None:
    hanging = {reader.for_each.param} if reader.for_each else set()
    params: dict[str, Any] = {name: VALUES[name] for name in {*reader.required} | hanging}
    if reader.accounts:
        params[ACCOUNT] = 11
    theirs = page_through(ask, reader, {**params, **({"Lang": "en"} if reader.lang else {})})
    found = hook.read_records(reader.action, page_size=PAGE, **params)
    ours = [{name: value for name, value in record.items() if name not in hanging} for record in found]
    assert ours == [{name: value for name, value in record.items() if value != []} for record in theirs]
    assert len(theirs) in (2, 3, 5, FINDINGS)
    assert found.counts.duplicates == 0
