"""A scan is found on whichever page of the service's list it stands."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from airflow_provider_aegis.client.flows.exchange import Send
from airflow_provider_aegis.client.flows.find_submitted import Submission, find_submitted
from airflow_provider_aegis.client.protocol.responses import Response
from tests.fakes import EPOCH, answer, signature_of, stage

OURS = "airflow:0123456789abcdef"
LOST = Submission(once_task_type="T", once_task_name="T", source=OURS, since=EPOCH)


def respond(send: Send) -> Response:
    """Know the scan; list it behind a full page of others."""
    params = {name: values[0] for name, values in parse_qs(urlsplit(send.url).query).items()}
    if signature_of(send).action == "GetLastOnceTaskInfo":
        return answer({"CollectTime": int(EPOCH * 1000), "TaskInfo": {"Status": "START"}})
    others = [{"TaskId": f"other {number}", "TaskName": "T", "Source": "schedule"} for number in range(50)]
    pages = {"1": others, "2": [{"TaskId": "ours", "TaskName": "T", "Source": OURS}]}
    page = pages.get(params["CurrentPage"], [])
    return answer({"TaskManageResponseList": page, "PageInfo": {"PageSize": 50, "TotalCount": 51}})


def test_a_scan_on_the_second_page_is_found() -> None:
    here = stage(*[respond] * 9)
    found = here.run_flow(find_submitted(here.config, LOST, deadline=None))
    assert found == replace(LOST, once_task_id="ours", ours=True)
    assert [signature_of(send).action for send in here.sent] == ["GetLastOnceTaskInfo"] + 2 * ["DescribeOnceTask"]
