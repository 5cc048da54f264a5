"""Which error class an error code of the service means."""

from __future__ import annotations

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConflictError,
    ExpiredTokenError,
    InvalidRequestError,
    NonceUsedError,
    PermissionDeniedError,
    SecurityCenterError,
    ServiceError,
    ThrottledError,
)

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
