"""The official SDK, blocking and asynchronous, drives every operation of the emulator: an independent signer's view."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault, Key, ManualClock

pytest.importorskip("alibabacloud_sas20181203")

# The SDK takes the time of day in a way that Python 3.12 and later warn of.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

KIND = {"task_type": "IMAGE_SCAN", "task_name": "IMAGE_SCAN"}
# A space goes as a plus with the one client and as %20 with the other; the rest is what encoders disagree on.
PARAM = json.dumps({"names": "a b+c/d~e*f%20'g\"&=?#", "word": "扫描 ü"}, ensure_ascii=False)

Sdk = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK sends what is for loopback through a proxy, whatever NO_PROXY says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sas(clock: ManualClock) -> Iterator[Emulator]:
    with Emulator(seconds=10, clock=clock) as emulator:
        yield emulator


@pytest.fixture(params=["blocking", "asynchronous"])
def sdk(request: pytest.FixtureRequest, sas: Emulator) -> Sdk:
    """Calls an operation by the SDK's name for it and returns the answer's body."""
    return _sdk(sas, asynchronous=request.param == "asynchronous")


def _sdk(sas: Emulator, *, asynchronous: bool, **config: str) -> Sdk:
    # Imported here, because it takes seconds that a run of other tests need not spend.
    from alibabacloud_sas20181203 import models
    from alibabacloud_sas20181203.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    keys = {"access_key_id": sas.access_key_id, "access_key_secret": sas.access_key_secret}
    client = Client(Config(**{**keys, "endpoint": f"{sas.host}:{sas.port}", "protocol": "http", **config}))

    def call(name: str, **params: Any) -> dict[str, Any]:
        model = getattr(models, "".join(word.capitalize() for word in name.split("_")) + "Request")
        if asynchronous:
            response = asyncio.run(getattr(client, f"{name}_async")(model(**params)))
        else:
            response = getattr(client, name)(model(**params))
        assert response.status_code == 200
        body: dict[str, Any] = response.body.to_map()
        assert body.pop("RequestId")
        return body

    return call


def test_generate_once_task(sas: Emulator, sdk: Sdk, clock: ManualClock) -> None:
    first = sdk("generate_once_task", **KIND, param=PARAM, source="Manual scan")
    assert first == {
        "CanCreate": True,
        "TaskId": sas.started[0],
        "CollectTime": sas.tasks[sas.started[0]].start_time,
        "TotalCount": 44,
        "FinishCount": 0,
    }
    task = sas.tasks[first["TaskId"]]
    assert (task.param, task.source) == (json.loads(PARAM), "Manual scan")
    clock.advance(10)
    second = sdk("generate_once_task", **KIND, param="{}")
    assert second["LastTask"] == first["TaskId"]


def test_get_once_task_result_info(sas: Emulator, sdk: Sdk, clock: ManualClock) -> None:
    task_id = sdk("generate_once_task", **KIND, param="{}")["TaskId"]
    seen = []
    for _ in range(3):
        body = sdk("get_once_task_result_info", **KIND, task_id=task_id)
        seen.append((body["TaskInfo"]["Status"], body["FinishCount"], body["TotalCount"], body["TaskId"]))
        clock.advance(5)
    assert seen == [("INIT", 0, 44, 0), ("START", 22, 44, 0), ("SUCCESS", 44, 44, 0)]


def test_get_last_once_task_info(sas: Emulator, sdk: Sdk, clock: ManualClock) -> None:
    assert "TaskInfo" not in sdk("get_last_once_task_info", **KIND)
    sdk("generate_once_task", **KIND, param="{}", source="console_batch")
    clock.advance(5)
    body = sdk("get_last_once_task_info", **KIND, source="console_batch")
    assert body["TaskInfo"] == {"Status": "START", "Progress": 50}
    assert "TaskInfo" not in sdk("get_last_once_task_info", **KIND, source="schedule")
    clock.advance(5)
    assert sdk("get_last_once_task_info", **KIND)["TaskInfo"] == {
        "Status": "SUCCESS",
        "Progress": 100,
        "Result": "SUCCESS",
    }


def test_describe_once_task(sas: Emulator, sdk: Sdk, clock: ManualClock) -> None:
    kind = {"task_type": "CLIENT_PROBLEM_CHECK", "task_name": "CLIENT_PROBLEM_CHECK"}
    param = json.dumps({"mode": 1, "problemType": "offline", "uuids": "inet-a,inet-b"})
    task_id = sdk("generate_once_task", **kind, param=param)["TaskId"]
    clock.advance(1)
    running = sdk("describe_once_task", root_task_id=task_id, current_page=1, page_size=20)
    assert running["PageInfo"] == {"Count": 1, "CurrentPage": 1, "PageSize": 20, "TotalCount": 1}
    row = running["TaskManageResponseList"][0]
    assert (row["TaskStatus"], row["TaskStatusText"], row["Progress"]) == (1, "START", "9%")
    clock.advance(9)
    row = sdk("describe_once_task", task_type="CLIENT_PROBLEM_CHECK")["TaskManageResponseList"][0]
    assert (row["TaskStatus"], row["TaskStatusText"], row["Progress"]) == (2, "SUCCESS", "100%")
    assert row["TaskEndTime"] - row["TaskStartTime"] == 10_000
    assert [entry["uuid"] for entry in json.loads(row["DetailData"])] == ["inet-a", "inet-b"]


def test_describe_once_task_leaf_record_page(sas: Emulator, sdk: Sdk, clock: ManualClock) -> None:
    task_id = sdk("generate_once_task", **KIND, param="{}")["TaskId"]
    clock.advance(5)
    paged = {"task_type": "IMAGE_SCAN", "task_id": task_id, "page_size": 20, "relate_info": True}
    body = sdk("describe_once_task_leaf_record_page", **paged, current_page=2, status_list=["SUCCESS", "INIT"])
    assert body["PageInfo"] == {"Count": 2, "CurrentPage": 2, "PageSize": 20, "TotalCount": 22}
    leaf = body["OnceTasks"][0]
    assert (leaf["StatusText"], leaf["FinishCount"], leaf["TotalCount"], leaf["Status"]) == ("SUCCESS", "1", "1", "1")
    assert leaf["TaskImageInfo"]["Digest"] == leaf["Target"]


def test_list_unfinished_once_task(sas: Emulator, sdk: Sdk, clock: ManualClock) -> None:
    task_id = sdk("generate_once_task", **KIND, param="{}")["TaskId"]
    clock.advance(5)
    (record,) = sdk("list_unfinished_once_task", task_type="IMAGE_SCAN", target="sha256:abc")["OnceTasks"]
    assert (record["TaskId"], record["Target"], record["Finish"]) == (task_id, "sha256:abc", 0)
    assert (record["Status"], record["FinishCount"], record["TotalCount"]) == (0, 22, 44)
    clock.advance(5)
    assert sdk("list_unfinished_once_task", task_type="IMAGE_SCAN", target="sha256:abc")["OnceTasks"] == []


def test_cancel_once_task(sas: Emulator, sdk: Sdk) -> None:
    task_id = sdk("generate_once_task", **KIND, param="{}")["TaskId"]
    assert sdk("cancel_once_task", task_id=task_id) == {}
    assert sdk("cancel_once_task", task_id="unknown") == {}
    assert sas.cancelled == [task_id]
    assert sdk("get_once_task_result_info", **KIND, task_id=task_id)["TaskInfo"] == {"Status": "FAIL"}


def test_create_virus_scan_once_task(sas: Emulator, sdk: Sdk) -> None:
    scan = {"scan_type": "user", "scan_path": ["/a b", "/c+d"], "param": '{"additionType":["SCAN_MEMORY"]}'}
    assert sdk("create_virus_scan_once_task", **scan, client_token="once") == {}
    assert sdk("create_virus_scan_once_task", **scan, client_token="once") == {}
    assert sas.virus_scans == [
        {
            "ScanType": "user",
            "ScanPath.1": "/a b",
            "ScanPath.2": "/c+d",
            "Param": '{"additionType":["SCAN_MEMORY"]}',
            "ClientToken": "once",
        }
    ]


def test_parameters_in_a_form_are_taken(sas: Emulator, sdk: Sdk) -> None:
    from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

    with pytest.raises(AlibabaCloudException) as caught:  # it plays no registry
        sdk("modify_image_registry", id=1, password="p&ss wörd")
    assert caught.value.code == "InvalidAction.NotFound"
    assert sas.log[-1].params == {"Id": "1", "Password": "p&ss wörd"}


def test_every_operation_was_driven() -> None:
    from airflow_provider_aegis.client.protocol.operations import OPERATIONS

    driven = {name.removeprefix("test_").replace("_", "") for name in globals() if name.startswith("test_")}
    assert {action.lower() for action in OPERATIONS} <= driven


def test_temporary_keys_are_taken_with_their_token() -> None:
    with Emulator(keys={"id": Key("secret", token="to+ken/=")}) as sas:
        for asynchronous in (False, True):
            sdk = _sdk(sas, asynchronous=asynchronous, security_token="to+ken/=", type="sts")
            assert sdk("describe_once_task", task_type="IMAGE_SCAN")["TaskManageResponseList"] == []


@pytest.mark.parametrize(
    ("prepare", "code", "status"),
    [
        (lambda sas: sas.add_key(sas.access_key_id, "another"), "SignatureDoesNotMatch", 400),
        (lambda sas: sas.revoke(sas.access_key_id), "InvalidAccessKeyId.Inactive", 400),
        (lambda sas: sas.set(denied=["DescribeOnceTask"]), "NoPermission", 403),
        (lambda sas: sas.set(clock_skew=3600.0), "InvalidTimeStamp.Expired", 400),
        (lambda sas: sas.inject("*", Fault.error("ServiceUnavailable")), "ServiceUnavailable", 503),
        (lambda sas: sas.inject("*", Fault.throttled(retry_after=1.5)), "Throttling.User", 400),
    ],
    ids=["secret", "revoked", "denied", "skew", "unavailable", "throttled"],
)
def test_the_sdk_reads_refusals(
    sas: Emulator, sdk: Sdk, prepare: Callable[[Emulator], None], code: str, status: int
) -> None:
    from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

    prepare(sas)
    with pytest.raises(AlibabaCloudException) as caught:
        sdk("describe_once_task", task_type="IMAGE_SCAN")
    assert (caught.value.code, caught.value.status_code) == (code, status)
    assert sas.log[-1].code == code
