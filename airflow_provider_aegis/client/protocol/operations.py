"""Each API operation as data: read or write, the RAM actions it needs, how its list is paged.

Adding an operation is a line in the table. One that is not listed can be called as well: its name tells
whether it reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.wire import FORM, WireForm
from airflow_provider_aegis.client.protocol.wire_forms import WIRE_FORMS

VERSION = "2018-12-03"
COMMON_FORM = WireForm()
# Cancelling twice changes nothing. A write with an idempotency token says on its call that it is repeatable.
IDEMPOTENT_WRITES = frozenset({"CancelOnceTask"})
READ_BEGINNINGS = ("Describe", "Get", "List", "Query", "Check")

_ACTION = re.compile(r"[A-Z][A-Za-z0-9]*")


@dataclass(frozen=True, slots=True)
class Operation:
    """What there is to know of an operation before it is called.

    :param reads: whether it changes nothing.
    :param items: name of the list in an answer that comes in pages.
    :param urgent: whether it goes before all other calls of the process.
    """

    name: str
    reads: bool
    items: str | None = None
    urgent: bool = False

    @property
    def wire_form(self) -> WireForm:
        """How its parameters go onto the wire."""
        return WIRE_FORMS.get(self.name, COMMON_FORM)

    @property
    def ram_actions(self) -> tuple[str, ...]:
        """The RAM actions to grant: documentation says one prefix, newer examples of the vendor the other."""
        return (f"yundun-aegis:{self.name}", f"yundun-sas:{self.name}")


def _read(name: str, items: str | None = None) -> Operation:
    return Operation(name, reads=True, items=items)


OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("GenerateOnceTask", reads=False),
        _read("GetOnceTaskResultInfo"),
        _read("GetLastOnceTaskInfo"),
        _read("DescribeOnceTask", items="TaskManageResponseList"),
        _read("DescribeOnceTaskLeafRecordPage", items="OnceTasks"),
        _read("ListUnfinishedOnceTask"),
        Operation("CancelOnceTask", reads=False, urgent=True),
        Operation("CreateVirusScanOnceTask", reads=False),
    )
}


def find_operation(action: str) -> Operation:
    """Look an operation up; one that is not in the table counts as a read if its name begins like one.

    :raises ConfigurationError: if it cannot be the name of an operation.
    """
    if not isinstance(action, str):
        raise ConfigurationError(f"action must be the name of an operation, not {type(action).__name__}.")
    if known := OPERATIONS.get(action):
        return known
    if not _ACTION.fullmatch(action):
        raise ConfigurationError(f"action {action!r} is not the name of an operation, as DescribeVulList is.")
    return Operation(action, reads=action.startswith(READ_BEGINNINGS))


@dataclass(frozen=True)
class Call:
    """One operation with its parameters, before anything is flattened or signed; its ``repr`` shows no parameter.

    :param repeatable: whether it may be sent again when it is open whether the first request arrived.
    """

    operation: Operation
    params: dict[str, Any] = field(default_factory=dict, repr=False)
    repeatable: bool = False

    @property
    def method(self) -> str:
        """The method of HTTP."""
        return self.operation.wire_form.method

    @property
    def query(self) -> str:
        """The canonical query string.

        :raises ConfigurationError: naming a parameter that cannot be sent.
        """
        return self._encoded[0]

    @property
    def body(self) -> bytes:
        """The body, empty for most operations."""
        return self._encoded[1]

    @property
    def content_type(self) -> str | None:
        """The content type of the body, ``None`` where there is none."""
        return FORM if self.body else None

    @cached_property
    def _encoded(self) -> tuple[str, bytes]:
        """Query and body, made once however often the call is sent."""
        try:
            return self.operation.wire_form.encode(self.params)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.operation.name}: parameter {error}") from error
        except RecursionError as error:
            raise ConfigurationError(f"{self.operation.name}: a parameter is nested too deeply.") from error


def call(action: str, **params: Any) -> Call:
    """Put an operation and its parameters together. A read may be repeated, and of the writes the idempotent ones."""
    operation = find_operation(action)
    return Call(operation, params, repeatable=operation.reads or action in IDEMPOTENT_WRITES)
