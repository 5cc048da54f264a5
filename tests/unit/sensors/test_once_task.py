"""The sensor's table of answers, the same in every mode."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.jobs.once_task import STATUS_WORDS, Phase
from airflow_provider_aegis.compat import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.exceptions import OnceTaskFailedError, OnceTaskTimeoutError, UnknownOnceTaskError
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from tests.unit.airflow_task import MODES, FakeTask, Make

SCAN = "ASSETS_COLLECTION"
READ = "GetOnceTaskResultInfo"

pytestmark = pytest.mark.parametrize("mode", MODES)


def start(outcome: str | None = None, sas: Emulator | None = None) -> str:
    """Start a scan and, if it is asked for, end it."""
    with AegisHook() as hook:
        once_task_id: str = hook.generate_once_task(once_task_type=SCAN)["TaskId"]
    if outcome and sas:
        sas.finish(once_task_id, outcome)
    return once_task_id


def sensor(mode: str, once_task_id: str, **kwargs: Any) -> Make:
    how: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}
    how |= {"poll_interval": 0.001, "first_poll_delay": 0, **kwargs}
    return lambda: AegisOnceTaskSensor(task_id="wait", once_task_id=once_task_id, once_task_type=SCAN, **how)


def test_success_returns_the_payload(mode: str, sas: Emulator, task: FakeTask) -> None:
    payload = task.run(sensor(mode, start("SUCCESS", sas)))
    assert payload["TaskInfo"] == {"Status": "SUCCESS"}
    assert payload["FinishCount"] == payload["TotalCount"] == 44


def test_it_waits_while_the_scan_runs(mode: str, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3)
    payload = task.run(sensor(mode, start()))
    assert payload["TaskInfo"]["Status"] == "SUCCESS"
    assert sas.requests[READ] > 2
    assert (task.reschedules > 0) == (mode == "reschedule")
    assert bool(task.events) == (mode == "deferrable")


@pytest.mark.parametrize("word", ["TIMEOUT", "TIMOUT", "timeout"])
def test_timeout_fails_for_good(mode: str, word: str, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(AirflowFailException, match=f"status {word}.*RequestId") as caught:
        task.run(sensor(mode, start(word, sas)))
    assert isinstance(caught.value.__cause__, OnceTaskTimeoutError)


def test_timeout_can_be_branched_on(mode: str, sas: Emulator, task: FakeTask) -> None:
    payload = task.run(sensor(mode, start("TIMEOUT", sas), fail_on_timeout=False))
    assert payload["TaskInfo"]["Status"] == "TIMEOUT"


@pytest.mark.parametrize("word", ["FAIL", "FAILED"])
def test_failure_fails_for_good_also_without_fail_on_timeout(
    mode: str, word: str, sas: Emulator, task: FakeTask
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        task.run(sensor(mode, start(word, sas), fail_on_timeout=False))
    assert isinstance(caught.value.__cause__, OnceTaskFailedError)


@pytest.mark.parametrize("word", ["TIMEOUT", "FAIL"])
@pytest.mark.parametrize("lenience", ["soft_fail", "never_fail"])
def test_a_bad_ending_can_be_skipped(mode: str, word: str, lenience: str, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(AirflowSkipException):
        task.run(sensor(mode, start(word, sas), **{lenience: True}))


def test_a_bad_ending_that_comes_during_the_wait_is_treated_the_same(mode: str, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3, outcome="FAIL")
    with pytest.raises(AirflowFailException):
        task.run(sensor(mode, start()))
    with pytest.raises(AirflowSkipException):
        task.run(sensor(mode, start(), soft_fail=True))


@pytest.mark.parametrize("word", ["INIT", "DISPATCH", "PROCESSING", "MESSAGE_SEND", "pre-analyzer"])
def test_running_words_poke_on_without_a_warning(
    mode: str, word: str, sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    sas.set(seconds=0.2, running_status=word)
    assert task.run(sensor(mode, start()))["TaskInfo"]["Status"] == "SUCCESS"
    assert "documented" not in caplog.text


def test_a_word_never_seen_pokes_on_with_one_warning(
    mode: str, sas: Emulator, task: FakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    sas.set(seconds=0.3, running_status="MEDITATING")
    assert task.run(sensor(mode, start()))["TaskInfo"]["Status"] == "SUCCESS"
    warnings = [record for record in caplog.records if "MEDITATING" in record.message and record.levelname == "WARNING"]
    # A reschedule is a new process, which has not seen the word yet.
    processes = task.reschedules if mode == "reschedule" else 2 if mode == "deferrable" else 1
    assert 1 <= len(warnings) <= processes


@pytest.mark.parametrize("task_info", ["null", "absent"])
def test_an_unknown_task_fails_after_its_grace(mode: str, task_info: str, sas: Emulator, task: FakeTask) -> None:
    once_task_id = start()
    sas.set(task_info=task_info)
    with pytest.raises(AirflowFailException, match="not known to Security Center") as caught:
        task.run(sensor(mode, once_task_id, unknown_task_grace=0.2))
    assert isinstance(caught.value.__cause__, UnknownOnceTaskError)
    assert sas.requests[READ] > 1


def test_a_task_that_gets_known_within_the_grace_is_waited_for(mode: str, sas: Emulator, task: FakeTask) -> None:
    sas.set(seconds=0.3, unknown_for=0.2)
    assert task.run(sensor(mode, start(), unknown_task_grace=30))["TaskInfo"]["Status"] == "SUCCESS"


TRANSIENT = {
    "throttled": Fault.throttled(retry_after=0.001),
    "server error": Fault.error("ServerError", status=500),
    "html": Fault.html(),
    "html with 200": Fault.html(status=200),
    "broken": Fault.broken(),
    "truncated": Fault.truncated(),
    "list": Fault.not_object(),
    "reset": Fault.reset(),
    "halfway": Fault.halfway(),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=list(TRANSIENT))
def test_errors_that_may_pass_are_ridden_out(mode: str, fault: Fault, sas: Emulator, task: FakeTask) -> None:
    once_task_id = start("SUCCESS", sas)
    sas.inject(READ, fault, times=7)  # more than one call repeats by itself
    assert task.run(sensor(mode, once_task_id))["TaskInfo"]["Status"] == "SUCCESS"
    assert sas.requests[READ] == 8


FINAL: dict[str, tuple[Fault, type[SecurityCenterError]]] = {
    "keys": (Fault.error("InvalidAccessKeyId.NotFound", status=404), AuthenticationError),
    "permission": (Fault.error("NoPermission", status=403), PermissionDeniedError),
    "parameter": (Fault.error("InvalidParameter", status=400), InvalidRequestError),
    "edition": (Fault.error("FreeVersionNotPermit", status=400), InvalidRequestError),
}


@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize(("fault", "error"), FINAL.values(), ids=list(FINAL))
def test_final_errors_fail_at_once_and_are_never_hidden(
    mode: str, fault: Fault, error: type[SecurityCenterError], soft_fail: bool, sas: Emulator, task: FakeTask
) -> None:
    once_task_id = start()
    sas.inject(READ, fault, times=1)
    with pytest.raises(error) as caught:
        task.run(sensor(mode, once_task_id, soft_fail=soft_fail))
    assert caught.value.action == READ
    assert sas.requests[READ] == 1


def test_final_errors_in_the_middle_of_a_wait_are_the_same(mode: str, sas: Emulator, task: FakeTask) -> None:
    once_task_id = start()
    sas.inject(READ, Fault.throttled(retry_after=0.001), times=5)
    sas.inject(READ, Fault.error("NoPermission", status=403), times=1)
    with pytest.raises(PermissionDeniedError, match=f"Grant yundun-aegis:{READ} and yundun-sas:{READ}") as caught:
        task.run(sensor(mode, once_task_id, soft_fail=True))
    assert (caught.value.code, caught.value.http_status) == ("NoPermission", 403)
    assert caught.value.request_id
    assert bool(task.events) == (mode == "deferrable")


def test_never_fail_skips_final_errors_in_every_mode(mode: str, sas: Emulator, task: FakeTask) -> None:
    once_task_id = start()
    sas.inject(READ, Fault.throttled(retry_after=0.001), times=5)
    sas.inject(READ, Fault.error("NoPermission", status=403), times=1)
    with pytest.raises(AirflowSkipException):
        task.run(sensor(mode, once_task_id, never_fail=True))


def test_silent_fail_rides_out_final_errors_in_every_mode(mode: str, sas: Emulator, task: FakeTask) -> None:
    once_task_id = start("SUCCESS", sas)
    sas.inject(READ, Fault.throttled(retry_after=0.001), times=5)
    sas.inject(READ, Fault.error("NoPermission", status=403), times=2)
    assert task.run(sensor(mode, once_task_id, silent_fail=True))["TaskInfo"]["Status"] == "SUCCESS"


def test_silent_fail_rides_out_a_final_error_of_the_first_read_as_well(
    mode: str, sas: Emulator, task: FakeTask
) -> None:
    once_task_id = start("SUCCESS", sas)
    sas.inject(READ, Fault.error("NoPermission", status=403), times=1)
    assert task.run(sensor(mode, once_task_id, silent_fail=True))["TaskInfo"]["Status"] == "SUCCESS"


@pytest.mark.parametrize("soft_fail", [False, True])
def test_its_timeout_ends_the_wait(mode: str, soft_fail: bool, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        task.run(sensor(mode, start(), timeout=0.3, soft_fail=soft_fail))
    assert sas.cancelled == [], "a sensor cancels nothing"


@pytest.mark.parametrize("bad", ["", "  ", "None"])
def test_an_empty_id_is_named_and_not_asked_for(mode: str, bad: str, sas: Emulator, task: FakeTask) -> None:
    with pytest.raises(ConfigurationError, match="once_task_id is empty"):
        task.run(sensor(mode, bad, soft_fail=True))
    assert sas.requests[READ] == 0


def test_only_success_is_green(mode: str, sas: Emulator, task: FakeTask) -> None:
    """All documented words and 50 random ones; a word that says nothing ends in the sensor's timeout."""
    words = random.Random(8)
    odd = ["".join(words.choices(string.ascii_letters + "_ -é", k=words.randint(1, 12))) for _ in range(50)]
    for word in [*STATUS_WORDS, *odd]:
        good = STATUS_WORDS.get("".join(char for char in word.upper() if char.isalnum())) is Phase.SUCCESS
        run = sensor(mode, start(word, sas), timeout=0, unknown_task_grace=0)
        if good:
            task.run(run)
            continue
        with pytest.raises((AirflowFailException, AirflowSensorTimeout)):
            task.run(run)


def test_links_are_there_while_it_waits_and_afterwards(mode: str, sas: Emulator, task: FakeTask) -> None:
    task.run(sensor(mode, start("SUCCESS", sas)))
    assert task.xcoms["_link_SecurityCenterLink"] == "https://yundun.console.aliyun.com/?p=sas"
    assert "requestId=" in task.xcoms["_link_RequestDiagnosisLink"]
