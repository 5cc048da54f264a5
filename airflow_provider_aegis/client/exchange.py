"""One call as a conversation: sign, send, judge the answer, wait, again. It does no I/O itself.

A conversation is a generator. It yields what it wants done and is sent what came of it; the drivers in ``transport``
perform the same conversation with blocking and with asynchronous means.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar

from airflow_provider_aegis.client.errors import (
    ClockError,
    DeadlineExceededError,
    ExpiredTokenError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProtocolError,
    SecurityCenterError,
    ThrottledError,
    error_class,
)
from airflow_provider_aegis.client.operations import VERSION, Call
from airflow_provider_aegis.client.service import Service
from airflow_provider_aegis.client.signing import Credentials, canonical_query, flatten, signed_headers
from airflow_provider_aegis.client.throttle import Budget, shared_budget

MAX_ATTEMPTS = 5
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 20.0
# Without a deadline nobody said how long a throttled call may take: beyond this it is the caller's to decide.
LONGEST_RETRY_AFTER = 120.0
# Words that some operations put into Code when all is well.
GOOD_CODES = frozenset({"", "200", "ok", "success"})
# A date further off than this is not a clock that is wrong but a header that is.
LARGEST_OFFSET = 10 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Signature:
    """What the headers of one attempt are signed with, once the wire form of the request is known."""

    action: str
    date: str
    nonce: str
    credentials: Credentials

    def headers(self, *, method: str, host: str, path: str, query: str) -> dict[str, str]:
        """Sign a request as it goes onto the wire.

        :param query: the canonical query string.
        """
        return signed_headers(
            method=method,
            host=host,
            path=path,
            query=query,
            action=self.action,
            version=VERSION,
            date=self.date,
            nonce=self.nonce,
            credentials=self.credentials,
        )


@dataclass(frozen=True, slots=True)
class Send:
    """Wanted: this request on the wire. Comes back as :class:`Answer`, or as the error that stood in its way."""

    url: str
    signature: Signature
    connect_timeout: float
    read_timeout: float
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wanted: nothing, for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Wanted: keys, others than those that were refused. Comes back as :class:`Credentials`, or as an error."""

    refused: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over the wire; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


T = TypeVar("T")
Command: TypeAlias = Send | Sleep | Authenticate
Reply: TypeAlias = Answer | Credentials | SecurityCenterError | None
Conversation: TypeAlias = Generator[Command, Reply, T]

# Seconds that an endpoint's clock is ahead of ours: what requests are dated with, learnt when one was refused for
# its date; and what the last answer said.
clock_offsets: dict[str, float] = {}
seen_offsets: dict[str, float] = {}


def exchange(service: Service, call: Call, *, deadline: float | None = None) -> Conversation[dict[str, Any]]:
    """Make one call and return the answer's payload.

    :param deadline: monotonic seconds of the service's clock after which nothing is tried any more.
    :return: the JSON object of the answer, unchanged.
    :raises SecurityCenterError: as the answer says. A write of which it is open whether it arrived is not sent again
        and raises :class:`OutcomeUnknownError`.
    """
    query = canonical_query(flatten(call.params))
    url = f"{service.endpoint.url}?{query}" if query else service.endpoint.url
    attempts = _Attempts()
    error: SecurityCenterError | None = None
    credentials: Credentials | None = None
    while True:
        refused = credentials if isinstance(error, ExpiredTokenError) else None
        credentials = yield from _authenticate(service, call, refused, attempts, deadline)
        budget = shared_budget(
            account=service.credentials.account,
            endpoint=service.endpoint.host,
            ceiling=service.max_requests_per_second,
            now=service.clock.monotonic,
        )
        yield from _await_turn(service, budget, deadline, error, call)
        reply = yield _send(service, call, url, credentials, deadline)
        attempts.number += 1
        offset = _offset(service, reply)
        if offset is not None:
            seen_offsets[service.endpoint.host] = offset
        try:
            payload = read_answer(reply, call)
        except SecurityCenterError as caught:
            error = caught
        else:
            budget.answered()
            return payload
        if isinstance(error, ThrottledError):
            budget.throttled(min(error.retry_after or 0, LONGEST_RETRY_AFTER))
        delay = _next_delay(service, call, error, attempts, offset, deadline)
        if delay > 0:
            yield Sleep(delay)


@dataclass(slots=True)
class _Attempts:
    """What one call remembers from attempt to attempt."""

    number: int = 0
    corrected: bool = False
    refreshed: bool = False


def _authenticate(
    service: Service, call: Call, refused: Credentials | None, attempts: _Attempts, deadline: float | None
) -> Conversation[Credentials]:
    """Ask for keys, and again while the service that hands them out cannot be reached: nothing has been sent yet."""
    while True:
        reply = yield Authenticate(refused)
        if isinstance(reply, Credentials):
            return reply
        assert isinstance(reply, SecurityCenterError)
        attempts.number += 1
        if attempts.number >= MAX_ATTEMPTS or not reply.transient:
            raise reply
        delay = _back_off(service, reply, attempts.number)
        _check_time(service, delay, deadline, reply, call)
        yield Sleep(delay)


def _await_turn(
    service: Service, budget: Budget, deadline: float | None, error: SecurityCenterError | None, call: Call
) -> Conversation[None]:
    """Wait until the budget has a place for a request."""
    while True:
        wait = budget.reserve()
        _check_time(service, wait, deadline, error, call)
        if wait > 0:
            yield Sleep(wait)
        if not budget.closed:  # else another call was throttled while this one slept
            return


def _send(service: Service, call: Call, url: str, credentials: Credentials, deadline: float | None) -> Send:
    left = float("inf") if deadline is None else max(0.1, deadline - service.clock.monotonic())
    now = service.clock.time() + clock_offsets.get(service.endpoint.host, 0.0)
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Send(
        url,
        Signature(call.operation.name, date, uuid.uuid4().hex, credentials),
        connect_timeout=min(service.connect_timeout, left),
        read_timeout=min(service.read_timeout, left),
    )


def _next_delay(
    service: Service,
    call: Call,
    error: SecurityCenterError,
    attempts: _Attempts,
    offset: float | None,
    deadline: float | None,
) -> float:
    """Return the seconds until the next attempt, or raise what ends the call.

    :param offset: how far the endpoint's clock is ahead of ours, if its answer tells.
    """
    last = attempts.number >= MAX_ATTEMPTS
    if isinstance(error, ClockError) and not (last or attempts.corrected or offset is None):
        clock_offsets[service.endpoint.host] = offset
        attempts.corrected = True
        return 0.0
    if isinstance(error, ExpiredTokenError) and not (last or attempts.refreshed):
        attempts.refreshed = True
        return 0.0
    if not error.refused and not call.operation.repeatable:
        raise OutcomeUnknownError(
            f"it is open whether this call was carried out, and it was not sent again: {error.message}",
            cause_class=type(error).__name__,
            action=error.action,
            code=error.code,
            http_status=error.http_status,
            request_id=error.request_id,
        ) from error
    if last or not error.transient:
        raise error
    delay = _back_off(service, error, attempts.number)
    if deadline is None and delay > LONGEST_RETRY_AFTER:
        raise error
    _check_time(service, delay, deadline, error, call)
    return delay


def read_answer(reply: Reply, call: Call) -> dict[str, Any]:
    """Judge what came back.

    :return: the payload of an answer that says that all is well.
    :raises SecurityCenterError: for every other one.
    """
    action = call.operation.name
    if isinstance(reply, SecurityCenterError):
        reply.action = reply.action or action
        raise reply
    assert isinstance(reply, Answer)
    payload = _json_object(reply, action)
    code = next((word for name in ("Code", "OperateCode") if _is_bad(word := _field(payload, name))), "")
    failed = not 200 <= reply.status < 300
    if not code and not failed:
        return payload
    retry_after = _retry_after(reply.headers)
    # The envelope of an error can come with a status that says otherwise.
    status = 400 if _field(payload, "HostId") and not failed else reply.status
    cls = ThrottledError if retry_after else error_class(code, status)
    if cls is None:
        return payload
    known: dict[str, Any] = {
        "action": action,
        "code": code,
        "http_status": reply.status,
        "request_id": _field(payload, "RequestId") or reply.headers.get("x-acs-request-id", ""),
        "recommend": _field(payload, "Recommend"),
    }
    if cls is ThrottledError:
        known["retry_after"] = retry_after
    if cls is PermissionDeniedError:
        detail = payload.get("AccessDeniedDetail") or payload.get("accessDeniedDetail")
        known |= {"ram_actions": call.operation.ram_actions, "detail": detail if isinstance(detail, dict) else None}
    raise cls(_field(payload, "Message") or "no message came with this answer", **known)


def _json_object(answer: Answer, action: str) -> dict[str, Any]:
    known: dict[str, Any] = {
        "action": action,
        "http_status": answer.status,
        "request_id": answer.headers.get("x-acs-request-id", ""),
    }
    if 300 <= answer.status < 400:
        raise ProtocolError("the endpoint answered with a redirect, which is never followed", **known)
    passing = answer.status >= 500 or answer.status < 400 or answer.status in (408, 425, 429)
    try:
        payload = json.loads(answer.body, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        beginning = answer.body[:200].decode("utf-8", "replace").lstrip().lower()
        what = "HTML" if beginning.startswith("<") else "not JSON, or cut short"
        raise ProtocolError(f"the answer is {what}", passing=passing, **known) from error
    if not isinstance(payload, dict):
        raise ProtocolError("the answer is JSON, but not an object", passing=passing, **known)
    return payload


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _is_bad(code: str) -> bool:
    return code.lower() not in GOOD_CODES


def _field(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name, payload.get(name[0].lower() + name[1:]))
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service asks to wait; the header counts milliseconds."""
    text = headers.get("x-acs-retry-after", "").strip()
    return int(text) / 1000 if text.isascii() and text.isdecimal() and 0 < len(text) < 12 and int(text) > 0 else None


def server_time(service: Service) -> float:
    """The endpoint's time as its last answer told it, UNIX epoch seconds; our own before there was one."""
    return service.clock.time() + seen_offsets.get(service.endpoint.host, 0.0)


def _offset(service: Service, reply: Reply) -> float | None:
    """How far the endpoint's clock is ahead of ours, if the answer tells."""
    text = reply.headers.get("date", "") if isinstance(reply, Answer) else ""
    try:
        theirs = parsedate_to_datetime(text)
        offset = theirs.replace(tzinfo=theirs.tzinfo or UTC).timestamp() - service.clock.time()
    except (ValueError, OverflowError):
        return None
    return offset if abs(offset) < LARGEST_OFFSET else None


def _back_off(service: Service, error: SecurityCenterError, attempt: int) -> float:
    """What the service asked for, else full jitter: anything up to a bound that doubles with every attempt."""
    if isinstance(error, ThrottledError) and error.retry_after:
        return error.retry_after
    return service.rng.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**attempt))


def _check_time(
    service: Service, wait: float, deadline: float | None, error: SecurityCenterError | None, call: Call
) -> None:
    """Raise if the deadline passes before a wait of so many seconds is over."""
    if deadline is None or service.clock.monotonic() + wait < deadline:
        return
    raise error or DeadlineExceededError(
        "the deadline passes before it is this request's turn", action=call.operation.name
    )
