"""The errors of the client; :mod:`airflow_provider_aegis.client.protocol.error_codes` maps the codes to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from airflow_provider_aegis.client.protocol.redaction import LONGEST, is_vendor_page, printable, storable

MOST_DETAILS = 20
# The account's owner can decode this entry, if it is complete.
ENCODED, LONGEST_ENCODED = "EncodedDiagnosticMessage", 8000


class ConfigurationError(ValueError):
    """A connection field or an argument that cannot be used; the text names it and says what to do."""

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON; :func:`from_dict` makes the same error of it."""
        return {"error_class": type(self).__name__, "message": storable(str(self))}


class SecurityCenterError(Exception):
    """A call failed.

    The text is one printable line: what to do, what happened, and the details in parentheses. Airflow's log view cuts a
    long line off, so what to do comes first. ``refused`` is true if the gateway rejected the call, so that nothing can
    have been done; ``transient`` if the same call may succeed a little later.
    """

    transient: bool = False
    refused: bool = True
    advice: ClassVar[str] = ""
    extra: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        message: str,
        *,
        action: str = "",
        code: str = "",
        http_status: int | None = None,
        request_id: str = "",
        recommend: str = "",
    ) -> None:
        self.message = printable(message)
        super().__init__(self.message)
        self.action = action
        self.code = printable(code)
        self.http_status = http_status
        self.request_id = printable(request_id)
        self.recommend = recommend if is_vendor_page(recommend) else ""

    @property
    def summary(self) -> str:
        """What happened, without what to do: for log lines of errors that are retried."""
        known = (self.code, f"HTTP {self.http_status}" if self.http_status else "")
        details = ", ".join((*filter(None, known), *([f"RequestId {self.request_id}"] if self.request_id else ())))
        end = "" if self.message.endswith((".", "!", "?", "…")) else "."
        text = f"{self.action}: {self.message}{end}" if self.action else f"{self.message}{end}"
        return f"{text} ({details})" if details else text

    def __str__(self) -> str:
        return f"{self.advice} {self.summary}".lstrip()

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON; :func:`from_dict` makes the same error of it."""
        return {
            "error_class": type(self).__name__,
            "message": self.message,
            "action": self.action,
            "code": self.code,
            "http_status": self.http_status,
            "request_id": self.request_id,
            "recommend": self.recommend,
            **{name: getattr(self, name) for name in self.extra},
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return (from_dict, (self.as_dict(),))


class AuthenticationError(SecurityCenterError):
    """The credentials are unknown, inactive, malformed or do not match: retrying does not help."""

    advice = "Check the connection's AccessKey ID, AccessKey secret, STS token or role."


class ExpiredTokenError(AuthenticationError):
    """The STS token has expired; the same call with new credentials may succeed."""

    advice = "Renew the STS token of the connection: it has expired."


class ClockError(SecurityCenterError):
    """The request's date is outside the 15 minutes that the service accepts."""

    advice = "Synchronise the clock of this machine."


class PermissionDeniedError(SecurityCenterError):
    """The identity lacks a RAM permission: retrying does not help.

    :param ram_actions: the actions to grant, under both prefixes that the documentation uses.
    :param detail: ``AccessDeniedDetail`` of the answer; empty if the answer has none.
    """

    extra = ("ram_actions", "detail")

    def __init__(
        self, message: str, *, ram_actions: Sequence[str] = (), detail: Mapping[str, Any] | None = None, **known: Any
    ) -> None:
        super().__init__(message, **known)
        self.ram_actions = list(ram_actions)
        self.detail = {
            printable(name): printable(value, LONGEST_ENCODED if name == ENCODED else LONGEST)
            for name, value in islice((detail or {}).items(), MOST_DETAILS)
        }

    @property
    def auth_action(self) -> str:
        """The RAM action that the answer names, or an empty string."""
        return self.detail.get("AuthAction", "")

    def __str__(self) -> str:
        named = tuple(dict.fromkeys((*filter(None, (self.auth_action,)), *self.ram_actions)))
        who = self.detail.get("AuthPrincipalDisplayName", "")
        what = " and ".join(named) or "the missing permission"
        page = f" Diagnosis: {self.recommend}" if self.recommend else ""
        return f"Grant {what}{f' to {who}' if who else ''} in RAM. {self.summary}{page}"


class ThrottledError(SecurityCenterError):
    """Too many requests: the same call succeeds later.

    :param retry_after: seconds that the service asks to wait; ``None`` if it does not say.
    :param refused: false if the answer leaves open whether a write was carried out.
    """

    transient = True
    advice = "Retry later, or lower max_requests_per_second in the connection."
    extra = ("retry_after",)

    def __init__(self, message: str, *, retry_after: float | None = None, refused: bool = True, **known: Any) -> None:
        super().__init__(message, **known)
        self.retry_after = retry_after
        self.refused = refused


class ConflictError(SecurityCenterError):
    """The service cannot start this scan now: its type runs or has just run, or too many run."""

    advice = "Wait until the scan that is in the way has ended, then retry."


class InvalidRequestError(SecurityCenterError):
    """The service does not accept this call: a parameter is wrong, or the edition lacks the feature."""

    advice = "Check the arguments, and the edition of Security Center."


class NonceUsedError(SecurityCenterError):
    """The nonce was seen before: the gateway has received this request already."""

    advice = "Retry the call."
    transient = True
    refused = False


class ServiceError(SecurityCenterError):
    """The service failed (5xx); it is open whether a write was carried out."""

    advice = "Retry later."
    transient = True
    refused = False


class ProtocolError(SecurityCenterError):
    """The answer is not one of Security Center's: HTML, broken JSON, too long, a redirect.

    :param passing: whether a later answer may be a proper one.
    """

    advice = "Check the endpoint of the connection, and the proxy if there is one."
    refused = False
    extra = ("passing",)

    def __init__(self, message: str, *, passing: bool = False, **known: Any) -> None:
        super().__init__(message, **known)
        self.transient = self.passing = passing


class UnreachableError(SecurityCenterError):
    """The client could not connect (refused, unknown host name, time-out while connecting): nothing was sent."""

    advice = "Check the network of this machine and the endpoint of the connection."
    transient = True


class NoAnswerError(SecurityCenterError):
    """The request was sent and no answer came back (reset, time-out); it is open whether a write was carried out."""

    advice = "Retry later; if it happens often, raise read_timeout in the connection."
    transient = True
    refused = False


class UntrustedEndpointError(SecurityCenterError):
    """TLS could not verify the endpoint: nothing was sent, and retrying does not help."""

    advice = "Set ca_bundle in the connection if a private authority signs the endpoint."


class OutcomeUnknownError(SecurityCenterError):
    """A write may or may not have been carried out; it was not sent again.

    :param cause_class: name of the error that left it open.
    """

    advice = "Look in the console whether it was carried out, before you run it again."
    refused = False
    extra = ("cause_class",)

    def __init__(self, message: str, *, cause_class: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.cause_class = cause_class


class DeadlineExceededError(SecurityCenterError):
    """The caller's deadline passed before the service answered."""

    advice = "Allow more time, or retry later."
    transient = True


def from_dict(known: Mapping[str, Any]) -> SecurityCenterError | ConfigurationError:
    """Make the error again of what ``as_dict`` gave.

    :raises ValueError: if it is not such a dict.
    """
    fields = dict(known)
    cls = _classes().get(str(fields.pop("error_class", "")))
    if cls is None:
        raise ValueError(f"error_class names no error of this package: {known.get('error_class')!r}")
    try:
        return cls(fields.pop("message"), **fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an error of this package: {error}") from error


def _classes() -> dict[str, type[SecurityCenterError | ConfigurationError]]:
    return {
        cls.__name__: cls
        for cls in globals().values()
        if isinstance(cls, type) and issubclass(cls, SecurityCenterError | ConfigurationError)
    }
