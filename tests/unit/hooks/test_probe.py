"""The check of a connection: what it says when one thing or another is wrong, and that it only reads."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.credentials import StaticCredentials
from airflow_provider_aegis.client.errors import UnreachableError
from airflow_provider_aegis.client.protocol.operations import find_operation
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.hooks import probe
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.hooks.probe import PROBES, Finding, State, examine
from airflow_provider_aegis.ram_policy import operations_of

WRITES = {"GenerateOnceTask", "CancelOnceTask"}


def findings(conn_id: str = "aegis_default") -> dict[str, Finding]:
    with AegisHook(conn_id) as hook:
        return {one.what: one for one in examine(hook, operations_of())}


def wrong(found: dict[str, Finding]) -> set[str]:
    return {what for what, one in found.items() if one.state is State.WRONG}


def test_all_is_well_and_nothing_was_written(sas: Emulator) -> None:
    found = findings()
    assert wrong(found) == set()
    assert found["endpoint"].details == f"{sas.url}, region cn-shanghai"
    assert found["credentials"].details == f"AccessKey ID {sas.access_key_id} is accepted"
    assert {what for what, one in found.items() if one.state is State.NOT_TRIED} == {f"permission {w}" for w in WRITES}
    assert set(sas.requests) == set(PROBES)
    assert set(sas.requests.values()) == {1}


def test_only_reads_are_probes_and_every_read_that_is_used_has_one() -> None:
    assert all(find_operation(name).reads for name in PROBES)
    assert set(PROBES) == {operation.name for operation in operations_of() if operation.reads}


@pytest.mark.parametrize("action", PROBES)
def test_a_missing_permission_is_named_with_what_to_grant(action: str, sas: Emulator) -> None:
    sas.set(denied=[action])
    found = findings()
    assert wrong(found) == {f"permission {action}"}
    assert f"Grant yundun-aegis:{action} and yundun-sas:{action} to {sas.access_key_id}" in (
        found[f"permission {action}"].details
    )


def test_what_is_not_tried_says_what_it_needs(sas: Emulator) -> None:
    needed = findings()["permission CancelOnceTask"].details
    assert needed == "a write; needs yundun-aegis:CancelOnceTask and yundun-sas:CancelOnceTask"


def test_an_access_key_that_is_refused_ends_the_trying(sas: Emulator) -> None:
    sas.revoke(sas.access_key_id)
    found = findings()
    assert wrong(found) == {"credentials"}
    assert "InvalidAccessKeyId.Inactive" in found["credentials"].details
    assert found["endpoint"].state is State.OK
    assert sum(sas.requests.values()) == 1


@pytest.mark.parametrize(
    "fault", [Fault.html(status=200), Fault.redirect(), Fault.error("ServiceUnavailable", status=503)]
)
def test_what_is_not_security_center_is_a_wrong_endpoint(fault: Fault, sas: Emulator) -> None:
    sas.inject("*", fault, times=1000)
    found = findings()
    assert wrong(found) == {"endpoint"}
    assert found["credentials"].state is State.NOT_TRIED


def test_an_endpoint_that_is_not_reached(sas: Emulator) -> None:
    sas.refuse_connections()
    found = findings()
    assert wrong(found) == {"endpoint"}
    assert "could not connect" in found["endpoint"].details
    assert found["clock"].state is State.NOT_TRIED


@pytest.mark.parametrize(
    ("skew", "state", "said"),
    [
        (0, State.OK, "agrees with"),
        (100, State.OK, "s behind the service's"),
        (7200, State.WRONG, "s behind the service's: synchronise it"),
        (-7200, State.WRONG, "s ahead of the service's: synchronise it"),
    ],
)
def test_the_clock_is_compared_with_the_services(skew: float, state: State, said: str, sas: Emulator) -> None:
    sas.set(clock_skew=skew)
    found = findings()
    assert found["clock"].state is state
    assert found["clock"].details.endswith(said) or said in found["clock"].details
    assert wrong(found) <= {"clock"}, "the keys and the permissions are tried all the same"


def test_a_probe_that_is_refused_for_its_parameters_is_unclear(sas: Emulator) -> None:
    sas.inject("ListUnfinishedOnceTask", Fault.error("-101", status=400), times=1)
    found = findings()
    assert wrong(found) == set()
    one = found["permission ListUnfinishedOnceTask"]
    assert one.state is State.UNCLEAR
    assert one.details.startswith("refused for another reason")
    assert "-101" in one.details


def test_a_region_that_is_not_known_is_unclear(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", sas.connection_json(region="cn-shangai"))
    found = findings()
    assert wrong(found) == set()
    assert found["region"].state is State.UNCLEAR
    assert "did you mean cn-shanghai" in found["region"].details
    assert found["credentials"].state is State.OK


def test_a_connection_that_does_not_exist() -> None:
    found = findings("nowhere")
    assert list(found) == ["connection"]
    assert "'nowhere' is not defined" in found["connection"].details


def test_a_field_that_cannot_be_used(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AEGIS_DEFAULT", sas.connection_json(read_timeout="soon"))
    found = findings()
    assert wrong(found) == {"connection"}
    assert "read_timeout" in found["connection"].details


def test_credentials_that_cannot_be_fetched(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: StaticCredentials, refused: Credentials | None = None) -> Credentials:
        raise UnreachableError("the service that hands out keys is not there")

    hook = AegisHook()
    monkeypatch.setattr(AegisHook, "config", hook.config)
    monkeypatch.setattr(StaticCredentials, "ready", refuse)
    found = findings()
    assert list(found) == ["connection", "credentials"]
    assert "hands out keys is not there" in found["credentials"].details


def test_a_probe_gives_up_in_time(sas: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SECONDS_EACH", 0.2)
    sas.inject("*", Fault.delayed(5), times=1000)
    assert wrong(findings()) == {"endpoint"}
