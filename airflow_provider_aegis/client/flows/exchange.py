"""One call as a flow: sign, send, judge the answer, wait, again. It does no I/O itself.

A flow is a generator. It yields what it wants done and is sent what came of it; the drivers in ``transport``
perform the same flow with blocking and with asynchronous means.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import (
    ClockError,
    DeadlineExceededError,
    ExpiredTokenError,
    OutcomeUnknownError,
    SecurityCenterError,
    ThrottledError,
)
from airflow_provider_aegis.client.flows.commands import Authenticate as Authenticate
from airflow_provider_aegis.client.flows.commands import Command as Command
from airflow_provider_aegis.client.flows.commands import Flow as Flow
from airflow_provider_aegis.client.flows.commands import Reply as Reply
from airflow_provider_aegis.client.flows.commands import Send as Send
from airflow_provider_aegis.client.flows.commands import Signature as Signature
from airflow_provider_aegis.client.flows.commands import Sleep as Sleep
from airflow_provider_aegis.client.flows.rate_limit import Priority, RateLimiter, Turn, limiter_of
from airflow_provider_aegis.client.protocol.operations import Call
from airflow_provider_aegis.client.protocol.responses import Response, read_response
from airflow_provider_aegis.client.protocol.signing import Credentials, iso_date

MAX_ATTEMPTS = 5
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 20.0
# Between two series of attempts, while the service is down or throttles.
RETRY_PAUSE_SECONDS = 15.0
# Without a deadline, a call that the service asks to delay for longer than this fails; the caller decides what next.
LONGEST_RETRY_AFTER = 120.0
# If the Date header is further off than this, the header is wrong and not the clock.
LARGEST_OFFSET = 10 * 365 * 86400.0

log = logging.getLogger(__name__)

# Seconds that an endpoint's clock is ahead of ours: what requests are dated with, learnt when one was refused for
# its date; and what the last answer said.
clock_offsets: dict[str, float] = {}
seen_offsets: dict[str, float] = {}


class Patience(Enum):
    """How long a call is tried again. Whatever the patience, a call is first tried ``MAX_ATTEMPTS`` times."""

    ATTEMPTS = "attempts"  # no longer than that
    DEADLINE = "deadline"  # until the deadline, after errors that may pass
    EVERY_ERROR = "every error"  # until the deadline, also after errors that asking again cannot change

    def outlasts(self, error: SecurityCenterError) -> bool:
        """Whether a call is tried again after all its attempts met an error."""
        return self is Patience.EVERY_ERROR or (self is Patience.DEADLINE and error.transient)


def exchange(
    config: ClientConfig,
    call: Call,
    *,
    deadline: float | None = None,
    priority: Priority = Priority.CALL,
    patience: Patience = Patience.ATTEMPTS,
) -> Flow[dict[str, Any]]:
    """Make one call and return the answer's payload.

    :param deadline: monotonic seconds of the service's clock after which nothing is tried any more.
    :param priority: which calls go before this one; an urgent operation is urgent in any case.
    :param patience: how long the call is tried again; without a deadline no longer than ``ATTEMPTS``.
    :return: the JSON object of the answer, unchanged.
    :raises SecurityCenterError: as the answer says. A write of which it is open whether it arrived is not sent again
        and raises :class:`OutcomeUnknownError`.
    """
    if patience is Patience.ATTEMPTS or deadline is None:
        return _attempt(config, call, deadline, priority)
    return _attempt_until(config, call, deadline, priority, patience)


def _attempt_until(
    config: ClientConfig, call: Call, deadline: float, priority: Priority, patience: Patience
) -> Flow[dict[str, Any]]:
    """Make a call, and make it again after a pause, until the deadline."""
    reported = False
    while True:
        try:
            return (yield from _attempt(config, call, deadline, priority))
        except SecurityCenterError as error:
            late = config.clock.monotonic() + RETRY_PAUSE_SECONDS >= deadline
            if late or not patience.outlasts(error):
                raise
            level = logging.DEBUG if reported else logging.WARNING
            log.log(level, "Security Center cannot be reached or throttles; retrying. %s", error)
            reported = True
        yield Sleep(RETRY_PAUSE_SECONDS)


def _attempt(config: ClientConfig, call: Call, deadline: float | None, priority: Priority) -> Flow[dict[str, Any]]:
    """Make a call with up to ``MAX_ATTEMPTS`` requests; renewed credentials and a corrected date may need one more."""
    url = f"{config.endpoint.url}?{call.query}" if call.query else config.endpoint.url
    attempts = _Attempts()
    error: SecurityCenterError | None = None
    credentials: Credentials | None = None
    limiter = limiter_of(config)
    turn = limiter.turn(Priority.URGENT if call.operation.urgent else priority)
    while True:
        refused = credentials if isinstance(error, ExpiredTokenError) else None
        credentials = yield from _authenticate(config, call, refused, attempts, deadline)
        yield from _await_turn(config, limiter, turn, deadline, error, call)
        reply = yield _send(config, call, url, credentials, deadline)
        attempts.number += 1
        offset = _offset(config, reply)
        if offset is not None:
            seen_offsets[config.endpoint.host] = offset
        try:
            payload = _payload(reply, call, credentials)
        except SecurityCenterError as caught:
            error = caught
        else:
            limiter.answered()
            return payload
        if isinstance(error, ThrottledError):
            limiter.throttled(min(error.retry_after or 0, LONGEST_RETRY_AFTER), call.operation.name)
        delay = _next_delay(config, call, error, attempts, offset, deadline)
        if delay > 0:
            yield Sleep(delay)


@dataclass(slots=True)
class _Attempts:
    """What one call remembers from attempt to attempt."""

    number: int = 0
    corrected: bool = False
    refreshed: bool = False


def _authenticate(
    config: ClientConfig, call: Call, refused: Credentials | None, attempts: _Attempts, deadline: float | None
) -> Flow[Credentials]:
    """Get credentials, and retry while they cannot be had: nothing has been sent yet."""
    while True:
        reply = yield Authenticate(refused, _left(config, deadline))
        if isinstance(reply, Credentials):
            return reply
        assert isinstance(reply, SecurityCenterError)
        attempts.number += 1
        if attempts.number >= MAX_ATTEMPTS or not reply.transient:
            raise reply
        delay = _back_off(config, reply, attempts.number)
        _check_time(config, delay, deadline, reply, call)
        yield Sleep(delay)


def _await_turn(
    config: ClientConfig,
    limiter: RateLimiter,
    turn: Turn,
    deadline: float | None,
    error: SecurityCenterError | None,
    call: Call,
) -> Flow[None]:
    """Wait until the rate limiter lets a request go."""
    _check_time(config, 0.0, deadline, error, call)
    try:
        while wait := limiter.reserve(turn, call.operation.name):
            late = deadline is not None and config.clock.monotonic() + wait >= deadline
            if late and turn[0] is Priority.URGENT:
                return  # the service may refuse it, but after the wait it would be too late
            _check_time(config, wait, deadline, error, call)
            yield Sleep(limiter.nap(wait))
    finally:
        limiter.leave(turn)


def _left(config: ClientConfig, deadline: float | None) -> float:
    """Return the seconds until the deadline; a request is given a moment even if it has passed."""
    return float("inf") if deadline is None else max(0.1, deadline - config.clock.monotonic())


def _send(config: ClientConfig, call: Call, url: str, credentials: Credentials, deadline: float | None) -> Send:
    left = _left(config, deadline)
    now = config.clock.time() + clock_offsets.get(config.endpoint.host, 0.0)
    return Send(
        url,
        Signature(call.operation.name, iso_date(int(now)), uuid.uuid4().hex, credentials),
        connect_timeout=min(config.connect_timeout, left),
        read_timeout=min(config.read_timeout, left),
        seconds=left,
        method=call.method,
        headers={"content-type": call.content_type} if call.content_type else {},
        body=call.body,
    )


def _payload(reply: Reply, call: Call, credentials: Credentials) -> dict[str, Any]:
    if isinstance(reply, SecurityCenterError):
        reply.action = reply.action or call.operation.name
        raise reply
    assert isinstance(reply, Response)
    return read_response(reply, call, secrets=(credentials.access_key_secret, credentials.security_token))


def _next_delay(
    config: ClientConfig,
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
    # Once for each call, even in its last attempt: a service in trouble must not make an expired token final.
    if isinstance(error, ClockError) and not (attempts.corrected or offset is None):
        clock_offsets[config.endpoint.host] = offset
        attempts.corrected = True
        return 0.0
    if isinstance(error, ExpiredTokenError) and not attempts.refreshed:
        attempts.refreshed = True
        return 0.0
    if not error.refused and not call.repeatable:
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
    delay = _back_off(config, error, attempts.number)
    if deadline is None and delay > LONGEST_RETRY_AFTER:
        raise error
    _check_time(config, delay, deadline, error, call)
    return delay


def server_time(config: ClientConfig) -> float:
    """Return the endpoint's time by its last answer, UNIX epoch seconds; before the first answer, our own time."""
    return config.clock.time() + seen_offsets.get(config.endpoint.host, 0.0)


def _offset(config: ClientConfig, reply: Reply) -> float | None:
    """Return how many seconds the endpoint's clock is ahead of ours; ``None`` if the answer does not say."""
    theirs = _seconds(reply.headers.get("date", "")) if isinstance(reply, Response) else None
    if theirs is None or abs(offset := theirs - config.clock.time()) >= LARGEST_OFFSET:
        return None
    return offset


@lru_cache(maxsize=16)
def _seconds(date: str) -> float | None:
    try:
        theirs = parsedate_to_datetime(date)
        return theirs.replace(tzinfo=theirs.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _back_off(config: ClientConfig, error: SecurityCenterError, attempt: int) -> float:
    """Return the delay that the service asked for, else full jitter: up to a bound that doubles with every attempt."""
    if isinstance(error, ThrottledError) and error.retry_after:
        return error.retry_after
    return config.rng.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**attempt))


def _check_time(
    config: ClientConfig, wait: float, deadline: float | None, error: SecurityCenterError | None, call: Call
) -> None:
    """Raise if the deadline passes before a wait of so many seconds is over."""
    if deadline is None or config.clock.monotonic() + wait < deadline:
        return
    raise error or DeadlineExceededError(
        "the deadline passes before it is this request's turn", action=call.operation.name
    )
