"""Find out what a connection can do, with reads that change nothing and name nothing that exists.

The connection test of Airflow's UI and the command ``airflow aegis check`` both use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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
from airflow_provider_aegis.ram_policy import USES

if TYPE_CHECKING:
    from airflow_provider_aegis.hooks.aegis import AegisHook

SECONDS_EACH = 20.0
# The service refuses a clock further off; each process then corrects its own after one refused request.
CLOCK_TOLERANCE = 15 * 60
# The service tells whole seconds, and its answer takes a moment to arrive.
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


# The harmless read that tries each operation. Writes, and reads without an entry, are not tried.
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
FIRST = PROBES["GetLastOnceTaskInfo"]
# Errors that only the service itself gives; after every other error it is open whether the service was reached.
VERDICTS = (AuthenticationError, ClockError, PermissionDeniedError, InvalidRequestError)


class State(StrEnum):
    """What came of one look."""

    OK = "ok"
    WRONG = "WRONG"
    UNCLEAR = "unclear"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result.

    :param what: the thing that was looked at.
    :param details: where something is wrong, what to do.
    """

    what: str
    state: State
    details: str = ""


def examine(hook: AegisHook, operations: Iterable[Operation] = ()) -> list[Finding]:
    """Try a connection. What cannot be tried because something before it is wrong is left out or not tried.

    :param hook: a hook with the connection.
    :param operations: the operations whose permissions are tried.
    """
    try:
        config = hook.config
    except ConfigurationError as error:
        return [Finding("connection", State.WRONG, str(error))]
    read = [Finding("connection", State.OK, f"{hook.aegis_conn_id}: every field can be read")]
    if warning := unknown_region_warning(config.region):
        read.append(Finding("region", State.UNCLEAR, warning))
    try:
        access_key_id = hook.run_flow(authenticate()).access_key_id
    except (SecurityCenterError, ConfigurationError) as error:
        return [*read, Finding("credentials", State.WRONG, str(error))]
    # Whichever permissions are tried, the first probe also tells about the endpoint, the clock and the credentials.
    answers = {FIRST.operation.name: _ask(hook, FIRST)}
    general = [*read, *_general(config, access_key_id, answers[FIRST.operation.name])]
    trusted = general[-1].state is State.OK
    return general + [_permission(hook, operation, answers, trusted=trusted) for operation in operations]


def connection_test(hook: AegisHook) -> tuple[bool, str]:
    """Try a connection with one read, and sum up as Airflow's connection test wants it.

    :return: whether all is well, and what answered or what is wrong.
    """
    findings = examine(hook, [FIRST.operation])
    region = [one for one in findings if one.what == "region"]
    wrong = [one for one in findings if one.state in (State.WRONG, State.UNCLEAR) and one not in region]
    said = wrong or [one for one in findings if one.what in ("endpoint", "credentials")]
    return not wrong, " ".join(f"{one.details.rstrip('.')}." for one in (*said, *region))


def _ask(hook: AegisHook, probe: Call) -> SecurityCenterError | ConfigurationError | None:
    """Make one call, and return what went wrong."""
    config = hook.config
    try:
        hook.run_flow(exchange(config, probe, deadline=config.clock.monotonic() + SECONDS_EACH))
    except (SecurityCenterError, ConfigurationError) as error:
        return error
    return None


def _general(config: ClientConfig, access_key_id: str, error: Exception | None) -> tuple[Finding, Finding, Finding]:
    """Say what the first probe tells about the endpoint, the clock and, last, the credentials."""
    where = f"{config.endpoint.url.rstrip('/')}, region {config.region or 'not set'}"
    accepted = Finding("credentials", State.OK, f"AccessKey ID {access_key_id} is accepted")
    if not (error is None or isinstance(error, VERDICTS)):
        accepted = Finding("credentials", State.NOT_TRIED)
        return Finding("endpoint", State.WRONG, f"{where}: {error}"), _clock(config, error), accepted
    if isinstance(error, AuthenticationError):
        accepted = Finding("credentials", State.WRONG, str(error))
    elif isinstance(error, ClockError):
        accepted = Finding("credentials", State.NOT_TRIED)
    return Finding("endpoint", State.OK, where), _clock(config, error), accepted


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

    :param answers: the outcome of each probe that was made.
    :param trusted: whether the service accepts the credentials, so that it looks at their permissions.
    """
    what, name = f"permission {operation.name}", operation.name
    if not operation.reads or name not in PROBES or not trusted:
        kind = "" if operation.reads else "a write; "
        return Finding(what, State.NOT_TRIED, f"{kind}needs {' and '.join(operation.ram_actions)}")
    error = answers[name] if name in answers else _ask(hook, PROBES[name])
    if error is None:
        return Finding(what, State.OK)
    if isinstance(error, InvalidRequestError):
        # No documentation says whether the service checks the permission before the parameters.
        return Finding(what, State.UNCLEAR, f"refused for another reason, so the permission is not known: {error}")
    return Finding(what, State.WRONG, str(error))
