"""What a user sees of the examples: states, XComs, links, logs, the form, the connection test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault

from .api import until
from .stack import AirflowStack
from .ui import add_connection

pytestmark = pytest.mark.e2e

PIPELINE = "aegis_scan_pipeline"
LINKS = {"Security Center", "Request diagnosis"}
AIRFLOW = Path(sys.executable).parent / "airflow"


def test_the_pipeline_goes_green_and_the_payload_arrives_downstream(stack: AirflowStack, sas: Emulator) -> None:
    sas.set(seconds=4)
    run = stack.trigger(PIPELINE)
    assert stack.wait(PIPELINE, run) == "success", stack.task_states(PIPELINE, run)
    payload = stack.xcom(PIPELINE, run, "result")
    assert payload["TaskInfo"] == {"Status": "SUCCESS"}
    assert stack.xcom(PIPELINE, run, "report") == "SUCCESS: 44 of 44 done"
    assert stack.xcom(PIPELINE, run, "start", "once_task_id") == sas.started[0]
    for task_id in ("start", "wait", "result"):
        links = stack.extra_links(PIPELINE, run, task_id)
        assert set(links) == LINKS
        assert links["Security Center"] == "https://yundun.console.aliyun.com/?p=sas"
    assert f"requestId={payload['RequestId']}" in str(stack.extra_links(PIPELINE, run, "result")["Request diagnosis"])


def test_links_are_there_while_it_waits_and_after_a_failure(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_mortal", {"name": "links"})
    link = until(
        lambda: stack.extra_links("aegis_mortal", run, "scan").get("Security Center"), 40, lambda: "the link to appear"
    )
    assert link.startswith("https://yundun.console.aliyun.com/")
    sas.inject("GetOnceTaskResultInfo", Fault.error("NoPermission", status=403), times=100)
    stack.wait_task("aegis_mortal", run, "scan", {"up_for_retry", "failed"})
    assert "q=NoPermission" in str(stack.extra_links("aegis_mortal", run, "scan")["Request diagnosis"])
    stack.end_run("aegis_mortal", run)


def test_mapped_tasks_have_links_and_results_each(stack: AirflowStack, sas: Emulator) -> None:
    sas.set(seconds=1)
    run = stack.trigger("aegis_scans_mapped")
    assert stack.wait("aegis_scans_mapped", run) == "success"
    for index in range(2):
        assert stack.xcom("aegis_scans_mapped", run, "scan", map_index=index)["TaskInfo"]["Status"] == "SUCCESS"
        assert set(stack.extra_links("aegis_scans_mapped", run, "scan", map_index=index)) == LINKS


def test_few_lines_are_logged(stack: AirflowStack, sas: Emulator) -> None:
    sas.set(seconds=8)
    run = stack.trigger("aegis_mortal", {"name": "quiet"})
    assert stack.wait("aegis_mortal", run) == "success"
    ours = [
        line for line in stack.log("aegis_mortal", run, "scan").splitlines() if "logger=airflow_provider_aegis" in line
    ]
    assert 1 <= len(ours) <= 6, ours


def test_the_form_shows_the_connections_own_fields(stack: AirflowStack) -> None:
    hooks = stack._http.get("/ui/connections/hook_meta").json()
    (ours,) = (hook for hook in hooks if hook["connection_type"] == "aegis")
    assert ours["hook_name"] == "Alibaba Cloud Security Center"
    assert {"region", "security_token", "max_requests_per_second", "console_site"} <= set(ours["extra_fields"])
    assert ours["standard_fields"]["login"]["title"] == "AccessKey ID"


@pytest.fixture
def connection(sas: Emulator) -> dict[str, Any]:
    """A connection as the form sends it."""
    return {
        "connection_id": "tested",
        "conn_type": "aegis",
        "host": "http://127.0.0.1",
        "port": sas.port,
        "login": sas.access_key_id,
        "password": sas.access_key_secret,
        "extra": '{"region": "cn-shanghai"}',
    }


def test_the_forms_button_tests_the_connection(stack: AirflowStack, sas: Emulator, connection: dict[str, Any]) -> None:
    answer = stack.api("POST", "connections/test", connection)
    assert answer["status"] is True, answer
    assert sas.access_key_id in answer["message"]
    answer = stack.api("POST", "connections/test", connection | {"password": "wrong"})
    assert answer["status"] is False
    assert "SignatureDoesNotMatch" in answer["message"]


def test_a_worker_tests_the_connection(stack: AirflowStack, sas: Emulator, connection: dict[str, Any]) -> None:
    token = stack.api("POST", "connections/enqueue-test", connection)["token"]

    def ended() -> dict[str, Any] | None:
        headers = {"Airflow-Connection-Test-Token": token}
        answer: dict[str, Any] = stack._http.get("/api/v2/connections/enqueue-test", headers=headers).json()
        return answer if answer["state"] in ("success", "failed") else None

    answer = until(ended, 40, lambda: "the worker to test the connection")
    assert answer["state"] == "success", answer
    assert sas.access_key_id in answer["result_message"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["providers", "list"], "airflow-provider-aegis"),
        (["providers", "get", "airflow-provider-aegis", "--full", "--output", "yaml"], "operators.once_task"),
        (["providers", "hooks"], "airflow_provider_aegis.hooks.aegis.AegisHook"),
        (["providers", "behaviours"], "aegis"),
        (["providers", "links"], "SecurityCenterLink"),
        (["connections", "test", "aegis_default"], "Connection success!"),
    ],
)
def test_the_command_line_shows_the_provider(
    command: list[str], expected: str, stack: AirflowStack, sas: Emulator
) -> None:
    env = os.environ | {
        "AIRFLOW_HOME": str(stack.home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{stack.home}/airflow.db",
        "AIRFLOW_CONN_AEGIS_DEFAULT": sas.connection_json(),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "COLUMNS": "500",
    }
    done = subprocess.run([AIRFLOW, *command], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert expected in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]


def test_make_ui_has_its_connections_where_the_ui_shows_them(stack: AirflowStack, sas: Emulator) -> None:
    add_connection(stack, "aegis_shown", sas)
    shown = stack.api("GET", "connections/aegis_shown")
    assert (shown["conn_type"], shown["port"]) == ("aegis", sas.port)
    assert shown["description"] == "An emulator of Security Center on this machine"
    assert "Connection success!" in stack.cli("connections", "test", "aegis_shown")


def test_every_example_can_be_read(stack: AirflowStack) -> None:
    assert stack.import_errors() == {}
