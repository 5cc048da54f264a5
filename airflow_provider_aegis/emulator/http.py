"""What comes in and what goes out, free of any web framework."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from airflow_provider_aegis.client.protocol.wire import FORM


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it was on the wire.

    :param query: the query as it was sent, still encoded.
    :param headers: with their names in lower case.
    """

    method: str
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""

    @property
    def action(self) -> str:
        """The operation that is asked for, or an empty text."""
        return self.headers.get("x-acs-action", "")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The decoded parameters in the order of their arrival: the query's, then those of a form in the body."""
        return [*self.query_pairs, *self._form_pairs]

    @property
    def query_pairs(self) -> list[tuple[str, str]]:
        """The decoded parameters of the query; a ``+`` is a space, as the SDKs send it."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def _form_pairs(self) -> list[tuple[str, str]]:
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """An answer.

    :param code: the error code in it, if it is one.
    :param hangup: how the connection ends before the answer is complete, if it does.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    hangup: Literal["", "reset", "halfway"] = ""


@dataclass(slots=True, kw_only=True)
class Received:
    """A request in the emulator's log.

    :param arrived: when it came, in seconds of a clock that never jumps.
    :param status: the HTTP status it was answered with; ``None`` while it is not, and 0 where the connection ended.
    :param code: the error code it was answered with, or an empty text.
    """

    action: str
    params: dict[str, str]
    arrived: float
    method: str
    access_key_id: str
    status: int | None = None
    code: str = ""


def new_request_id() -> str:
    """Return an id for an answer, in the service's form."""
    return str(uuid.uuid4()).upper()


def json_response(payload: Mapping[str, Any], *, status: int = 200, code: str = "") -> HttpResponse:
    """Make an answer of JSON.

    :param payload: what it says, RequestId included.
    """
    headers = {"Content-Type": "application/json;charset=utf-8", "x-acs-request-id": str(payload["RequestId"])}
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpResponse(status=status, body=body, headers=headers, code=code)
