"""Error code of the service to error class."""

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

# A code that is not listed is looked up by its prefix, then by the HTTP status.
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
# A code of these classes is not throttling, even if the answer asks to wait: waiting changes nothing.
FINAL = (AuthenticationError, ClockError, PermissionDeniedError, InvalidRequestError)


def listed_class(code: str) -> type[SecurityCenterError] | None:
    """Return the error class of a code, ``None`` for a code that is in no table."""
    return CODES.get(code) or next((cls for beginning, cls in PREFIXES if code.startswith(beginning)), None)


def error_class(code: str, http_status: int) -> type[SecurityCenterError] | None:
    """Return the error class of a code.

    :param code: ``Code`` of the answer.
    :param http_status: the answer's status, which decides for a code that is in no table.
    :return: ``None`` for a code of success (some operations set ``Code`` on success).
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
