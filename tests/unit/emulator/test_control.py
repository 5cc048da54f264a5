from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from airflow_provider_aegis.emulator import Control, Emulator, Fault, ManualClock
from airflow_provider_aegis.emulator.control import READS, WRITES, Controls, run_verb
from tests.unit.emulator.support import KIND, Caller, ask


@pytest.fixture(params=["library", "http"])
def controls(request: pytest.FixtureRequest, sas: Emulator) -> Controls:
    """The same emulator, controlled in its own process and over HTTP."""
    return sas if request.param == "library" else Control(sas.url)


def test_there_is_a_method_for_every_verb() -> None:
    methods = {name for name, _ in inspect.getmembers(Controls) if not name.startswith("_")}
    assert READS.keys() | WRITES.keys() <= methods


def test_it_sees_requests_tasks_and_the_log(controls: Controls, sas: Emulator, clock: ManualClock) -> None:
    first = ask(sas, "GenerateOnceTask", Param="{}", **KIND).payload["TaskId"]
    ask(sas, "CancelOnceTask", TaskId=first)
    clock.advance(3)
    second = ask(sas, "GenerateOnceTask", Param='{"a": 1}', Source="console", **KIND).payload["TaskId"]
    ask(sas, "DescribeNothing")
    assert controls.requests == {"GenerateOnceTask": 2, "CancelOnceTask": 1, "DescribeNothing": 1}
    assert controls.requests["NeverAsked"] == 0
    assert (controls.started, controls.cancelled, controls.running) == ([first, second], [first], [second])
    assert list(controls.tasks) == [second, first]
    task = controls.tasks[second]
    assert (task.status, task.param, task.source, task.running) == ("INIT", {"a": 1}, "console", True)
    assert [(line.action, line.status, line.code) for line in controls.log] == [
        ("GenerateOnceTask", 200, ""),
        ("CancelOnceTask", 200, ""),
        ("GenerateOnceTask", 200, ""),
        ("DescribeNothing", 404, "InvalidAction.NotFound"),
    ]
    assert controls.log[2].arrived - controls.log[1].arrived == 3
    assert controls.log[1].params == {"TaskId": first}


def test_it_sees_virus_scans(controls: Controls, sas: Emulator) -> None:
    ask(sas, "CreateVirusScanOnceTask", ScanType="system")
    assert controls.virus_scans == [{"ScanType": "system"}]


def test_it_injects_and_heals(controls: Controls, sas: Emulator) -> None:
    controls.inject("DescribeOnceTask", Fault.error("ServerError", status=500), times=2)
    controls.inject("*", Fault.throttled(retry_after=2), seconds=60, probability=1.0)
    answers = [ask(sas, "DescribeOnceTask", TaskType="X") for _ in range(4)]
    assert [(answered.status, answered.code) for answered in answers] == [
        (500, "ServerError"),
        (500, "ServerError"),
        (400, "Throttling.User"),
        (400, "Throttling.User"),
    ]
    assert answers[3].headers["x-acs-retry-after"] == "2000"
    controls.heal()
    assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200


def test_it_changes_settings(controls: Controls, sas: Emulator) -> None:
    controls.set(outcome="FAIL", seconds=0, denied=["CancelOnceTask"])
    task_id = ask(sas, "GenerateOnceTask", Param="{}", **KIND).payload["TaskId"]
    assert controls.tasks[task_id].status == "FAIL"
    assert ask(sas, "CancelOnceTask", TaskId=task_id).code == "NoPermission"
    assert controls.state["settings"]["outcome"] == "FAIL"


def test_it_finishes_tasks(controls: Controls, sas: Emulator) -> None:
    first = ask(sas, "GenerateOnceTask", Param="{}", **KIND).payload["TaskId"]
    controls.finish(first)
    second = ask(sas, "GenerateOnceTask", Param="{}", **KIND).payload["TaskId"]
    controls.finish(second, "TIMEOUT")
    assert (controls.tasks[first].status, controls.tasks[second].status) == ("SUCCESS", "TIMEOUT")


def test_it_manages_keys(controls: Controls, sas: Emulator) -> None:
    controls.revoke(sas.access_key_id)
    assert ask(sas, "DescribeOnceTask", TaskType="X").code == "InvalidAccessKeyId.Inactive"
    controls.restore(sas.access_key_id)
    assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200
    controls.add_key(sas.access_key_id, "new-secret", token="t", seconds=0)
    assert ask(sas, "DescribeOnceTask", TaskType="X").code == "InvalidSecurityToken.Malformed"
    assert controls.state["keys"] == [sas.access_key_id]


def test_it_resets(controls: Controls, sas: Emulator) -> None:
    ask(sas, "GenerateOnceTask", Param="{}", **KIND)
    controls.set(outcome="FAIL")
    controls.reset()
    assert (controls.started, controls.tasks, controls.log, dict(controls.requests)) == ([], {}, [], {})
    assert controls.state["settings"]["outcome"] == "SUCCESS"


def test_what_is_wrong_is_refused_in_the_same_words(sas: Emulator) -> None:
    wrong: list[Callable[[Controls], None]] = [
        lambda controls: controls.set(unheard=1),
        lambda controls: controls.set(seconds="x"),
        lambda controls: controls.finish("unknown"),
        lambda controls: controls.revoke("unknown"),
        lambda controls: controls.restore("unknown"),
    ]
    for attempt in wrong:
        words = []
        for controls in (sas, Control(sas.url)):
            with pytest.raises(ValueError) as caught:
                attempt(controls)
            words.append(str(caught.value))
        assert words[0] == words[1] != ""


def test_arguments_that_a_verb_does_not_have_are_refused(caller: Caller) -> None:
    with pytest.raises(ValueError, match="finish: missing a required argument: 'task_id'"):
        run_verb(caller.account, "finish", {})
    with pytest.raises(ValueError, match="fault"):
        run_verb(caller.account, "inject", {"action": "*", "fault": {"kind": "unheard"}})


def test_connections_are_refused_for_a_while_from_another_process(sas: Emulator) -> None:
    control = Control(sas.url)
    control.refuse_connections(600)
    with pytest.raises(OSError, match="refused"):
        control.reset()
    sas.accept_connections()
    control.reset()


def test_another_process_has_to_say_for_how_long(sas: Emulator) -> None:
    with pytest.raises(ValueError, match="seconds is missing"):
        Control(sas.url).refuse_connections()


def test_no_proxy_stands_between(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert Control(sas.url).state["keys"] == [sas.access_key_id]


def test_something_else_than_an_emulator_is_a_connection_error(sas: Emulator) -> None:
    with pytest.raises(ConnectionError, match="400"):
        Control(f"{sas.url}/elsewhere").reset()
