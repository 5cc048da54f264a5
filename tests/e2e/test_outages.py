"""A service that fails for a while is waited for, and no deadline is missed. In a real Airflow; the emulator counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_aegis.emulator import Emulator, Fault

from .scans import CANCEL, START, check_that_nothing_held_up_the_triggerer, wait_until_watched
from .stack import AirflowStack

pytestmark = pytest.mark.e2e

# The service fails for as long as the promise says; the scan ends meanwhile.
TROUBLES: dict[str, Callable[[Emulator], None]] = {
    "half of the answers throttled for a minute": lambda sas: sas.inject(
        "*", Fault.throttled(retry_after=0.5), seconds=60, probability=0.5
    ),
    "503 for 30 s": lambda sas: sas.inject("*", Fault.error("ServiceUnavailable", status=503), seconds=30),
    "connections refused for 30 s": lambda sas: sas.refuse_connections(30),
}


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(name, marks=pytest.mark.soak) if "minute" in name else name for name in TROUBLES],
)
def test_trouble_of_the_service_is_ridden_out(trouble: str, stack: AirflowStack, sas: Emulator) -> None:
    name = trouble.replace(" ", "-")
    sas.set(seconds=40)
    runs = [stack.trigger("aegis_deferred", {"name": f"{name}-{index}"}) for index in range(3)]
    for run in runs:
        wait_until_watched(stack, "aegis_deferred", run)
    TROUBLES[trouble](sas)
    for run in runs:
        assert stack.wait("aegis_deferred", run, timeout=150) == "success", stack.log("aegis_deferred", run, "scan")
    assert len(sas.started) == 3
    assert sas.cancelled == []


def test_keys_revoked_midway_fail_the_task_at_once(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_deferred", {"name": "revoked"})
    wait_until_watched(stack, "aegis_deferred", run)
    sas.revoke(sas.access_key_id)
    try:
        assert stack.wait("aegis_deferred", run) == "failed"
        assert "InvalidAccessKeyId.Inactive" in stack.log("aegis_deferred", run, "scan")
    finally:
        sas.restore(sas.access_key_id)


def test_the_deadline_holds_while_deferred(stack: AirflowStack, sas: Emulator) -> None:
    run = stack.trigger("aegis_deadline", {"name": "deadline"})
    assert stack.wait("aegis_deadline", run) == "failed"
    assert sas.cancelled == sas.started
    assert sas.requests[CANCEL] == 1
    log = stack.log("aegis_deadline", run, "scan")
    assert "was not over when the deadline passed" in log
    arrived = {line.action: line.arrived for line in sas.log}
    # The promise: within 5 s of the deadline, which is 20 s after the task began and so a little before that later.
    assert arrived[CANCEL] - arrived[START] < 20 + 5


def test_nothing_held_up_the_triggerer_in_all_of_this(stack: AirflowStack) -> None:
    check_that_nothing_held_up_the_triggerer(stack)
