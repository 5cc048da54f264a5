"""What can go wrong in a call, and one table from the service's error code to the class that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from airflow_provider_aegis.client.protocol.redaction import LONGEST, is_vendor_page, printable, storable

MOST_DETAILS = 20
# Its owner can decode it, if it is whole.
ENCODED, LONGEST_ENCODED = "EncodedDiagnosticMessage", 8000


class ConfigurationError(ValueError):
    """A connection field or an argument that cannot be used; the text names it and says what to do."""

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON; :func:`from_dict` makes the same error of it."""
        return {"error_class": type(self).__name__, "message": storable(str(self))}


class SecurityCenterError(Exception):
    """A call that Security Center did not answer with a result.

    Its text is one printable line. ``refused`` is true where the gateway turned the call down, so that nothing can
    have been done; ``transient`` where the same call may succeed a little later.
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

    def __str__(self) -> str:
        where = [f"HTTP {self.http_status}"] if self.http_status else []
        where += [f"RequestId {self.request_id}"] if self.request_id else []
        head = f"{self.action}: " if self.action else ""
        head += " ".join(part for part in (self.code, f"({', '.join(where)})" if where else "") if part)
        message = self.message if self.message.endswith((".", "!", "?", "…")) else f"{self.message}."
        text = f"{head}: {message}" if self.code or where else f"{head}{message}"
        return f"{text} {self.advice}".rstrip()

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
    """The credentials are unknown, inactive, malformed or do not match: final."""

    advice = (
        "Check the credentials of the connection: AccessKey ID, AccessKey secret and STS token, "
        "or where else it takes them from."
    )


class ExpiredTokenError(AuthenticationError):
    """The STS token has expired; fresh credentials may answer it."""

    advice = "The STS token has expired: put a fresh one into the connection."


class ClockError(SecurityCenterError):
    """The request's date is outside the 15 minutes that the service accepts."""

    advice = "The clock of this machine is off: synchronise it."


class PermissionDeniedError(SecurityCenterError):
    """The identity lacks a RAM permission: final.

    :param ram_actions: what to grant, for both prefixes that the documentation uses.
    :param detail: ``AccessDeniedDetail`` of the answer, empty where it brought none.
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
        """The RAM action that the service itself named, or an empty text."""
        return self.detail.get("AuthAction", "")

    def __str__(self) -> str:
        named = tuple(dict.fromkeys((*filter(None, (self.auth_action,)), *self.ram_actions)))
        who = self.detail.get("AuthPrincipalDisplayName", "")
        grant = f" Grant {' and '.join(named)}{f' to {who}' if who else ''} in RAM." if named else ""
        page = f" Diagnosis: {self.recommend}" if self.recommend else ""
        return f"{super().__str__()}{grant}{page}"


class ThrottledError(SecurityCenterError):
    """Too many requests: nothing was done, the same call succeeds later.

    :param retry_after: seconds that the service asked to wait, ``None`` where it named none.
    """

    transient = True
    extra = ("retry_after",)

    def __init__(self, message: str, *, retry_after: float | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.retry_after = retry_after
        # A failure that merely asks to wait leaves it open whether a write was carried out.
        failed = self.http_status is not None and self.http_status >= 500
        self.refused = not failed or error_class(self.code, 200) is ThrottledError


class ConflictError(SecurityCenterError):
    """The service cannot start this task now: one of its kind runs, ran a moment ago, or too many run at once."""


class InvalidRequestError(SecurityCenterError):
    """The service will never accept this call as it is: a bad parameter, an edition that lacks the feature."""


class NonceUsedError(SecurityCenterError):
    """The nonce was seen before: the gateway has received this request already."""

    transient = True
    refused = False


class ServiceError(SecurityCenterError):
    """The service failed (5xx); whether a write was carried out is open."""

    transient = True
    refused = False


class ProtocolError(SecurityCenterError):
    """The answer is not one of Security Center's: HTML, broken JSON, too long, a redirect.

    :param passing: whether a later answer may be a proper one.
    """

    refused = False
    extra = ("passing",)

    def __init__(self, message: str, *, passing: bool = False, **known: Any) -> None:
        super().__init__(message, **known)
        self.transient = self.passing = passing


class UnreachableError(SecurityCenterError):
    """No connection came about (refused, unknown host name, time-out while connecting): nothing was sent."""

    transient = True


class NoAnswerError(SecurityCenterError):
    """The request went out and no answer came back (reset, time-out); whether a write was carried out is open."""

    transient = True
    refused = False


class UntrustedEndpointError(SecurityCenterError):
    """TLS could not verify the endpoint: nothing was sent, and trying again does not help."""

    advice = "Set ca_bundle in the connection if a private certificate authority signs this endpoint."


class OutcomeUnknownError(SecurityCenterError):
    """A write that may or may not have been carried out; it was not sent again.

    :param cause_class: name of the error that left it open.
    """

    refused = False
    extra = ("cause_class",)

    def __init__(self, message: str, *, cause_class: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.cause_class = cause_class


class DeadlineExceededError(SecurityCenterError):
    """The caller's deadline passed before the service gave an answer."""

    transient = True


# Adding a code is a line here. A code that is not listed is judged by its beginning, then by the HTTP status.
CODES: dict[str, type[SecurityCenterError]] = {
    "Throttling": ThrottledError,
    "RequestTooFrequently": ThrottledError,
    "ServerError": ServiceError,
    "InternalError": ServiceError,
    "SystemBusy": ServiceError,
    "ServiceUnavailable": ServiceError,
    "RpcServiceError": ServiceError,
    "SignatureNonceUsed": NonceUsedError,
    "InvalidTimeStamp.Expired": ClockError,
    "IllegalTimestamp": ClockError,
    "InvalidSecurityToken.Expired": ExpiredTokenError,
    "SignatureDoesNotMatch": AuthenticationError,
    "IncompleteSignature": AuthenticationError,
    "NoPermission": PermissionDeniedError,
    "RdCheckNoPermission": PermissionDeniedError,
    "TaskRepeat": ConflictError,
    "AssetsCollectionFrequencyLimit": ConflictError,
    "DuplicatedRefresh": ConflictError,
    "FreeVersionNotPermit": InvalidRequestError,
    "NotBuy": InvalidRequestError,
    "NeedBuy": InvalidRequestError,
    "BeyondQuata": InvalidRequestError,
    "AgentNotOnline": InvalidRequestError,
    "ClientOffline": InvalidRequestError,
    "-101": InvalidRequestError,
}
PREFIXES: tuple[tuple[str, type[SecurityCenterError]], ...] = (
    ("Throttling.", ThrottledError),
    ("InternalError.", ServiceError),
    ("AuthenticationFail", AuthenticationError),
    ("InvalidAccessKeyId", AuthenticationError),
    ("InvalidSecurityToken", AuthenticationError),
    ("Forbidden", PermissionDeniedError),
    ("Missing", InvalidRequestError),
    ("Invalid", InvalidRequestError),
)
# A code of theirs is no throttling, though the answer asks to wait: waiting does not change what it says.
FINAL = (AuthenticationError, ClockError, PermissionDeniedError, InvalidRequestError)


def listed_class(code: str) -> type[SecurityCenterError] | None:
    """Look up which error a code means; ``None`` for a code that no table knows."""
    return CODES.get(code) or next((cls for beginning, cls in PREFIXES if code.startswith(beginning)), None)


def error_class(code: str, http_status: int) -> type[SecurityCenterError] | None:
    """Look up which error a code means.

    :param code: ``Code`` of the answer.
    :param http_status: the answer's status, which decides over codes that no table knows.
    :return: ``None`` for a code that says nothing bad (some operations answer ``Code`` on success).
    """
    if listed := listed_class(code):
        return listed
    if http_status >= 500 or http_status in (408, 425):
        return ServiceError
    if http_status == 429:
        return ThrottledError
    if http_status in (401, 403):
        return PermissionDeniedError
    return InvalidRequestError if http_status >= 400 else None


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
