"""The protocol of a source of credentials, and how the answers of credential services are read."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConfigurationError,
    PermissionDeniedError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
)
from airflow_provider_aegis.client.flows.commands import Authenticate, Flow, Reply, Send
from airflow_provider_aegis.client.protocol.endpoints import parse_host
from airflow_provider_aegis.client.protocol.error_codes import error_class
from airflow_provider_aegis.client.protocol.operations import Call, Operation
from airflow_provider_aegis.client.protocol.redaction import without
from airflow_provider_aegis.client.protocol.responses import Response, read_response
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 10.0
# A shorter external ID, or value in a credentials URI, protects nothing, and masking it would mask words of an error.
SHORTEST_SECRET = 8
# The variable with the address of an emulator of STS and of instance metadata, on loopback only.
EMULATOR = "AEGIS_CREDENTIALS_EMULATOR_HOST"
# After these words STS repeats the request with its secrets.
_REPEATED = re.compile(r"(server )?string to sign.*", re.IGNORECASE | re.DOTALL)


class Clock(Protocol):
    """The clock; tests replace it."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...


class CredentialsProvider(Protocol):
    """Provides the credentials that sign the next request."""

    @property
    def account(self) -> str:
        """A name that stays the same when the credentials change; all requests of one account share a rate limit."""
        ...

    def ready(self, refused: Credentials | None = None) -> Credentials | None:
        """Return credentials without I/O, or ``None`` if ``get`` must fetch them.

        :param refused: credentials that the service has refused as expired.
        """
        ...

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        """Return credentials, and fetch them if needed.

        :param refused: credentials that the service has refused as expired; they are not returned again.
        :raises SecurityCenterError: if there are none; it is transient if a retry may help.
        :raises ConfigurationError: if what is configured cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """Credentials that were fetched.

    :param expires: seconds since the epoch, ``None`` if unknown.
    """

    credentials: Credentials
    expires: float | None = None


class Source(Protocol):
    """A source of credentials. Equal sources return the same credentials."""

    @property
    def account(self) -> str:
        """A name that stays the same when the credentials change."""
        ...

    def fetch(self, clock: Clock) -> Flow[Fetched]:
        """Fetch credentials.

        :raises SecurityCenterError: if there are none.
        :raises ConfigurationError: if what is configured cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Static credentials.

    :param names: the names of the AccessKey ID, the secret and the token in error texts.
    """

    credentials: Credentials
    names: tuple[str, str, str] = (
        "The connection's login (AccessKey ID)",
        "The connection's password (AccessKey secret)",
        "The connection's extra 'security_token'",
    )

    @property
    def account(self) -> str:
        """The AccessKey ID."""
        return self.credentials.access_key_id

    def ready(self, refused: Credentials | None = None) -> Credentials:  # noqa: ARG002  (there are no other ones)
        """Return the credentials.

        :raises ConfigurationError: if one is empty, or cannot be put into a header.
        """
        if wrong := _first_wrong(self.credentials, self.names):
            raise ConfigurationError(f"{wrong}.")
        return self.credentials

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        """Return the credentials."""
        return self.ready(refused)
        yield

    def fetch(self, clock: Clock) -> Flow[Fetched]:  # noqa: ARG002  (they do not say when they expire)
        """Return the credentials."""
        return Fetched(self.ready())
        yield


def authenticate(refused: Credentials | None = None) -> Flow[Credentials]:
    """Return the credentials of the client that runs the flow.

    :raises SecurityCenterError: if there are none.
    """
    reply = yield Authenticate(refused)
    if isinstance(reply, SecurityCenterError):
        raise reply
    assert isinstance(reply, Credentials)
    return reply


def secrets_of(credentials: Credentials | None, *guards: str | None) -> tuple[Secret, ...]:
    """Return the secrets of credentials, and the confidential texts that are long enough to mask.

    :param guards: confidential texts, as an external ID, that an answer may repeat.
    """
    kept = (credentials.access_key_secret, credentials.security_token) if credentials else ()
    guarding = (Secret(text) for text in guards if text and len(text) >= SHORTEST_SECRET)
    return (*(secret for secret in kept if secret), *guarding)


def what_is_wrong(value: object) -> str:
    """Return why a text cannot be a secret or a token, without showing it; an empty string if it can."""
    if isinstance(value, Secret):
        return what_is_wrong(value.reveal())
    if not isinstance(value, str):
        return "is not a string"
    if not value.strip():
        return "is empty"
    fit = value == value.strip() and value.isascii() and value.isprintable()
    return "" if fit else "has white space around it or odd characters in it"


def _first_wrong(credentials: Credentials, names: Sequence[str]) -> str:
    values = (credentials.access_key_id, credentials.access_key_secret, credentials.security_token or "none")
    found = (f"{name} {wrong}" for name, value in zip(names, values, strict=True) if (wrong := what_is_wrong(value)))
    return next(found, "")


def emulator() -> str | None:
    """Return the address of an emulator of STS and of instance metadata, if the environment names one.

    :raises ConfigurationError: if it is not on loopback.
    """
    host = os.environ.get(EMULATOR)
    if not host:
        return None
    try:
        return parse_host(f"http://{host.removeprefix('http://')}").url
    except ConfigurationError:
        raise ConfigurationError(f"{EMULATOR} must be a host and a port on loopback, as 127.0.0.1:8080.") from None


def request(url: str, *, method: str = "GET", seconds: float = READ_TIMEOUT, **more: Any) -> Send:
    """Return a request to a credential service; one without TLS never uses a proxy."""
    known: dict[str, Any] = {"signature": None, "connect_timeout": min(seconds, CONNECT_TIMEOUT)}
    known |= {"read_timeout": seconds, "seconds": CONNECT_TIMEOUT + seconds, "direct": url.startswith("http:")}
    return Send(url, method=method, **known | more)


# Error trackers show the variables of the frames of an error. So the functions that read secrets return their errors,
# and callers without secrets in their variables raise them.


def credentials_from(reply: Reply, action: str, secrets: Collection[Secret], *, inside: str = "") -> Fetched:
    """Read the credentials in an answer of a credential service.

    :param action: the operation, for errors.
    :param secrets: the secrets of the request, which the answer may repeat and an error must not.
    :param inside: name of the object in the answer that contains them.
    :raises SecurityCenterError: if the answer has none, or there is no answer.
    """
    outcome = _read_credentials(reply, action, secrets, inside)
    if isinstance(outcome, Fetched):
        return outcome
    raise outcome


def text_from(reply: Reply, action: str) -> str:
    """Read an answer that is plain text.

    :raises SecurityCenterError: if the answer is not a successful one, or there is none.
    """
    outcome = _read_text(reply, action)
    if isinstance(outcome, str):
        return outcome
    raise outcome


def _read_credentials(
    reply: Reply, action: str, secrets: Collection[Secret], inside: str
) -> Fetched | SecurityCenterError | ConfigurationError:
    if not isinstance(reply, Response):
        return _explained(reply, action, secrets)
    try:
        payload = read_response(reply, Call(Operation(action, reads=True)), secrets=secrets)
    except SecurityCenterError as error:
        return _explained(error, action, secrets)
    found = payload.get(inside) if inside else payload
    fields = found if isinstance(found, Mapping) else {}
    names = ("AccessKeyId", "AccessKeySecret", "SecurityToken")
    if None in map(fields.get, names) or not (inside or fields.get("Code") == "Success"):
        return AuthenticationError("the answer has no credentials", action=action)
    credentials = Credentials(*(fields[name] for name in names))
    # The error of a library about an invalid header would show it.
    if wrong := _first_wrong(credentials, ("AccessKey ID", "AccessKey secret", "token")):
        return AuthenticationError(f"the credentials in the answer cannot be used: the {wrong}", action=action)
    try:
        until = datetime.fromisoformat(fields["Expiration"])
        expires = until.replace(tzinfo=until.tzinfo or UTC).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return AuthenticationError("the credentials in the answer do not say when they expire", action=action)
    return Fetched(credentials, expires)


def _read_text(reply: Reply, action: str) -> str | SecurityCenterError | ConfigurationError:
    if not isinstance(reply, Response):
        return _explained(reply, action, ())
    text = reply.body.decode("utf-8", "replace").strip()
    if reply.status == 200 and not (wrong := what_is_wrong(text)):
        return text
    cls = AuthenticationError if reply.status == 200 else error_class("", reply.status) or AuthenticationError
    why = f"the answer {wrong}" if reply.status == 200 else "it was refused"
    return _explained(cls(why, http_status=reply.status), action, ())


def _explained(error: Reply, action: str, secrets: Collection[Secret]) -> SecurityCenterError | ConfigurationError:
    """Return the error of a call that waits for credentials.

    Nothing was sent to Security Center yet, so an error that leaves it open becomes one that does not.
    """
    if isinstance(error, ConfigurationError):
        return error
    assert isinstance(error, SecurityCenterError)
    known: dict[str, Any] = {
        "action": action,
        "code": without(error.code, secrets),
        "http_status": error.http_status,
        "request_id": without(error.request_id, secrets),
    }
    message = _REPEATED.sub("…", without(error.message, secrets))
    if error.transient or error.http_status in (408, 425):
        return UnreachableError(message, **known)
    if isinstance(error, PermissionDeniedError) and error.code and action.startswith("AssumeRole"):
        return PermissionDeniedError(message, ram_actions=[f"sts:{action}"], **known)
    kept = isinstance(error, AuthenticationError | ClockError | UntrustedEndpointError)
    return (type(error) if kept else AuthenticationError)(message, **known)
