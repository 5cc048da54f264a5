"""Why a request is refused: one table from error code to HTTP status and words, and the envelope they travel in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_aegis.client.protocol.endpoints import TROUBLESHOOTING
from airflow_provider_aegis.emulator.http import HttpResponse, Request, json_response, new_request_id

# Where the facts name no status, 400 is taken.
REFUSALS: dict[str, tuple[int, str]] = {
    "IncompleteSignature": (400, "The request is not signed as it has to be."),
    "SignatureDoesNotMatch": (400, "The signature is not the one that the request and the secret give."),
    "SignatureNonceUsed": (400, "The signature nonce has been used before."),
    "InvalidTimeStamp.Format": (400, "The date is not of the form YYYY-MM-DDTHH:MM:SSZ."),
    "InvalidTimeStamp.Expired": (400, "The date is more than 15 minutes from the time here."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "InvalidAccessKeyId.Inactive": (400, "Specified access key is disabled."),
    "InvalidSecurityToken.Malformed": (400, "The security token does not belong to the access key."),
    "InvalidSecurityToken.Expired": (400, "The security token has expired."),
    "InvalidAction.NotFound": (404, "Specified api is not found."),
    "MissingParameter": (400, "A required parameter is missing."),
    "InvalidParameter": (400, "A parameter has a value that it cannot have."),
    "NoPermission": (403, "caller has no permission"),
    "Forbidden.RAM": (403, "The caller is not authorized to do this."),
    "FreeVersionNotPermit": (403, "The edition of this account does not have the feature."),
    "Throttling": (400, "Request was denied due to request throttling."),
    "Throttling.User": (400, "Request was denied due to user flow control."),
    "Throttling.Api": (400, "Request was denied due to api flow control."),
    "TaskRepeat": (400, "Please wait last task finish."),
    "AssetsCollectionFrequencyLimit": (400, "Collection task frequency limit."),
    "-101": (400, "Target is missing."),
    "ServerError": (500, "ServerError"),
    "InternalError": (500, "The request could not be carried out because of an internal error."),
    "ServiceUnavailable": (503, "The service is unavailable for the moment."),
}


class EmulatedError(Exception):
    """A request that is not carried out.

    :param code: the error code.
    :param message: in place of the table's words.
    :param status: in place of the table's HTTP status; 400 for a code that is not in the table.
    :param headers: further headers of the answer.
    :param extra: further members of the envelope.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        usual_status, usual_message = REFUSALS.get(code, (400, code))
        self.code = code
        self.message = usual_message if message is None else message
        self.status = status or usual_status
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(f"{self.code}: {self.message}")


def no_permission(action: str, access_key_id: str) -> EmulatedError:
    """Refuse an action that the caller was not granted.

    :param access_key_id: who asks.
    """
    detail = {
        "AuthAction": f"yundun-aegis:{action}",
        "AuthPrincipalDisplayName": access_key_id,
        "AuthPrincipalOwnerId": "1000000000000000",
        "AuthPrincipalType": "SubUser",
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "EncodedDiagnosticMessage": "AQEAAAAA",
    }
    return EmulatedError("NoPermission", extra={"AccessDeniedDetail": detail})


def envelope(refusal: EmulatedError, request: Request) -> HttpResponse:
    """Put a refusal into the form in which the service sends errors.

    :param request: what is refused.
    """
    request_id = new_request_id()
    payload = {
        "RequestId": request_id,
        "HostId": request.headers.get("host", ""),
        "Code": refusal.code,
        "Message": refusal.message,
        "Recommend": f"{TROUBLESHOOTING['china']}?q={refusal.code}&product=Sas&requestId={request_id}",
        **refusal.extra,
    }
    reply = json_response(payload, status=refusal.status, code=refusal.code)
    return replace(reply, headers={**reply.headers, **refusal.headers})
