"""What a connection can do, found out with reads that change nothing and ask for nothing that exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials.base import authenticate
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
    SecurityCenterError,
)
from airflow_provider_aegis.client.flows.exchange import exchange, seen_offsets
from airflow_provider_aegis.client.jobs.once_task import OnceTaskRef
from airflow_provider_aegis.client.protocol.endpoints import unknown_region_warning
from airflow_provider_aegis.client.protocol.operations import Call, Operation, call
from airflow_provider_aegis.client.readers import READERS, Reader
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.ram_policy import USES

SECONDS_EACH = 20.0
# What the service accepts; a clock further off costs every process a refused request before it is corrected.
CLOCK_TOLERANCE = 15 * 60
# The service names whole seconds, and its answer takes a moment to arrive.
CLOCK_GRAIN = 3

SCAN_TYPE = "ASSETS_COLLECTION"
NO_TASK = "0" * 32
NO_MACHINE = "00000000-0000-0000-0000-000000000000"


def _read_nothing(reader: Reader) -> Call:
    """A reader's call for one record, of something that does not exist where its list hangs on something."""
    hanging = (reader.for_each.param,) if reader.for_each else ()
    params: dict[str, Any] = dict.fromkeys((*reader.required, *hanging), "0")
    if "Type" in params:
        params["Type"] = "cve"
    return call(reader.action, **params, CurrentPage=1, PageSize=1)


# The harmless read that tries each operation. A read without an entry is not tried, as no write is.
PROBES: dict[str, Call] = {
    one.operation.name: one
    for one in (
        OnceTaskRef(once_task_type=SCAN_TYPE).read_last(),
        OnceTaskRef(once_task_id=NO_TASK, once_task_type=SCAN_TYPE).read(),
        call("DescribeOnceTask", TaskType=SCAN_TYPE, TaskId=NO_TASK, CurrentPage=1, PageSize=10),
        call("ListUnfinishedOnceTask", TaskType=SCAN_TYPE, Target=NO_MACHINE),
        *(_read_nothing(READERS[use.action]) for use in USES["read_findings"]),
    )
}
# What the service itself says of a call; every other error leaves open whether it was reached.
VERDICTS = (AuthenticationError, ClockError, PermissionDeniedError, InvalidRequestError)


class State(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WRONG = "WRONG"
    UNCLEAR = "unclear"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what was found out.

    :param what: was looked at.
    :param details: what to do, where something is wrong.
    """

    what: str
    state: State
    details: str = ""


def examine(conn_id: str, operations: Iterable[Operation]) -> list[Finding]:
    """Try a connection, as far as one thing lets the next be tried.

    :param conn_id: id of the connection.
    :param operations: those whose permission is wanted.
    """
    with AegisHook(aegis_conn_id=conn_id) as hook:
        try:
            config = hook.config
        except ConfigurationError as error:
            return [Finding("connection", State.WRONG, str(error))]
        read = [Finding("connection", State.OK, f"{conn_id}: every field can be read")]
        if warning := unknown_region_warning(config.region):
            read.append(Finding("region", State.UNCLEAR, warning))
        try:
            access_key_id = hook.run_flow(authenticate()).access_key_id
        except (SecurityCenterError, ConfigurationError) as error:
            return [*read, Finding("keys", State.WRONG, str(error))]
        # Whichever permissions are wanted, the first probe also tells of the endpoint, the clock and the keys.
        first = PROBES["GetLastOnceTaskInfo"]
        answers = {first.operation.name: _ask(hook, first)}
        general = [*read, *_general(config, access_key_id, answers[first.operation.name])]
        trusted = general[-1].state is State.OK
        return general + [_permission(hook, operation, answers, trusted=trusted) for operation in operations]


def _ask(hook: AegisHook, probe: Call) -> SecurityCenterError | ConfigurationError | None:
    """Make one call, and return what went wrong."""
    config = hook.config
    try:
        hook.run_flow(exchange(config, probe, deadline=config.clock.monotonic() + SECONDS_EACH))
    except (SecurityCenterError, ConfigurationError) as error:
        return error
    return None


def _general(config: ClientConfig, access_key_id: str, error: Exception | None) -> tuple[Finding, Finding, Finding]:
    """Say what the first probe tells of the endpoint, the clock and, last, the keys."""
    where = f"{config.endpoint.url.rstrip('/')}, region {config.region or 'not set'}"
    keys = Finding("keys", State.OK, f"AccessKey ID {access_key_id} is accepted")
    if not (error is None or isinstance(error, VERDICTS)):
        keys = Finding("keys", State.NOT_TRIED)
        return Finding("endpoint", State.WRONG, f"{where}: {error}"), _clock(config, error), keys
    if isinstance(error, AuthenticationError):
        keys = Finding("keys", State.WRONG, str(error))
    elif isinstance(error, ClockError):
        keys = Finding("keys", State.NOT_TRIED)
    return Finding("endpoint", State.OK, where), _clock(config, error), keys


def _clock(config: ClientConfig, error: Exception | None) -> Finding:
    if isinstance(error, ClockError):
        return Finding("clock", State.WRONG, str(error))
    ahead = seen_offsets.get(config.endpoint.host)
    if ahead is None:
        return Finding("clock", State.NOT_TRIED)
    if abs(ahead) < CLOCK_GRAIN:
        return Finding("clock", State.OK, "this machine's clock agrees with the service's")
    apart = f"this machine's clock is about {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} the service's"
    if abs(ahead) > CLOCK_TOLERANCE:
        return Finding("clock", State.WRONG, f"{apart}: synchronise it")
    return Finding("clock", State.OK, apart)


def _permission(
    hook: AegisHook,
    operation: Operation,
    answers: Mapping[str, SecurityCenterError | ConfigurationError | None],
    *,
    trusted: bool,
) -> Finding:
    """Try one permission.

    :param answers: what came of the probes that have been made.
    :param trusted: whether the service accepts the keys, so that it can say what they may do.
    """
    what, name = f"permission {operation.name}", operation.name
    if not operation.reads or name not in PROBES or not trusted:
        kind = "" if operation.reads else "a write; "
        return Finding(what, State.NOT_TRIED, f"{kind}needs {' and '.join(operation.ram_actions)}")
    error = answers[name] if name in answers else _ask(hook, PROBES[name])
    if error is None:
        return Finding(what, State.OK)
    if isinstance(error, InvalidRequestError):
        # Nobody documents whether the service looks at a call's permission before its parameters.
        return Finding(what, State.UNCLEAR, f"refused for something else, which proves neither: {error}")
    return Finding(what, State.WRONG, str(error))
