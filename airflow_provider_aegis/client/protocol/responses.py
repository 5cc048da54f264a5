"""Reads a response: the payload of a good one, or the error."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from airflow_provider_aegis.client.errors import MOST_DETAILS, PermissionDeniedError, ProtocolError, ThrottledError
from airflow_provider_aegis.client.protocol.error_codes import FINAL, error_class, listed_class
from airflow_provider_aegis.client.protocol.operations import Call
from airflow_provider_aegis.client.protocol.redaction import storable, without
from airflow_provider_aegis.client.protocol.secret import Secret

log = logging.getLogger(__name__)

# Values of Code with which some operations report success.
GOOD_CODES = frozenset({"", "200", "ok", "success"})
# Nested lists and objects. Python reads thousands of levels, which Airflow cannot store.
MAX_DEPTH = 100
# The integers of msgpack, in which Airflow sends messages: any other one ends the process that sends it.
LEAST_INTEGER, INTEGER_LIMIT = -(2**63), 2**64
# Airflow's serializer reserves keys with this prefix for class names: it refuses the object, or imports the class.
RESERVED = "__"


@dataclass(frozen=True, slots=True)
class Response:
    """A response of HTTP; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read_response(answer: Response, call: Call, *, secrets: Collection[Secret | str | None] = ()) -> dict[str, Any]:
    """Return the payload of a successful response.

    :param secrets: the secrets of the request, which the answer may repeat and an error must not.
    :return: the payload, unchanged but for what Airflow cannot store: lone surrogates, NUL and the first character of
        a key that begins with ``__`` are replaced by ``�``, integers beyond 64 bits become strings.
    :raises SecurityCenterError: for every other response.
    """
    action = call.operation.name
    payload = _json_object(answer, action)
    code = next((word for name in ("Code", "OperateCode") if _is_bad(word := _field(payload, name))), "")
    failed, unsuccessful = not 200 <= answer.status < 300, _is_unsuccessful(payload)
    if not (code or failed or unsuccessful):
        return payload
    retry_after = _retry_after(answer.headers)
    status = answer.status
    if not failed and (unsuccessful or _field(payload, "HostId")):  # though its HTTP status says success
        status = _own_status(payload) or 400
    cls = error_class(code, status)
    if retry_after and not issubclass(listed_class(code) or ThrottledError, FINAL):
        cls = ThrottledError
    if cls is None:
        return payload
    clean = partial(without, secrets=secrets)
    known: dict[str, Any] = {
        "action": action,
        "code": clean(code),
        "http_status": answer.status,
        "request_id": clean(_field(payload, "RequestId") or answer.headers.get("x-acs-request-id", "")),
        "recommend": clean(_field(payload, "Recommend")),
    }
    if cls is ThrottledError:
        known["retry_after"] = retry_after
        # A failure that merely asks to wait leaves open whether a write was carried out.
        known["refused"] = answer.status < 500 or listed_class(code) is ThrottledError
    if cls is PermissionDeniedError:
        detail = payload.get("AccessDeniedDetail") or payload.get("accessDeniedDetail")
        entries = islice(detail.items() if isinstance(detail, dict) else (), MOST_DETAILS)
        told = {clean(name): clean(str(value)) for name, value in entries}
        known |= {"ram_actions": call.operation.ram_actions, "detail": told}
    silence = "the answer has no message" + (", which says Success: false" if unsuccessful else "")
    raise cls(clean(_field(payload, "Message")) or silence, **known)


def _json_object(answer: Response, action: str) -> dict[str, Any]:
    known: dict[str, Any] = {
        "action": action,
        "http_status": answer.status,
        "request_id": answer.headers.get("x-acs-request-id", ""),
    }
    if 300 <= answer.status < 400:
        raise ProtocolError("the endpoint answered with a redirect, which is never followed", **known)
    try:
        payload = _decode(answer.body, action)
    except (ValueError, RecursionError) as error:
        html = answer.body[:200].decode("utf-8", "replace").lstrip().startswith("<")
        what = "HTML" if html else _oddity(error)
    else:
        if isinstance(payload, dict):
            return payload
        what = "JSON, but not an object"
    retry_after = _retry_after(answer.headers)
    if retry_after or answer.status == 429:  # a gateway that answers in place of the service asks to wait
        raise ThrottledError(f"the answer is {what}", retry_after=retry_after, refused=answer.status < 500, **known)
    passing = answer.status >= 500 or answer.status < 400 or answer.status in (408, 425)
    raise ProtocolError(f"the answer is {what}", passing=passing, **known)


def _decode(body: bytes, action: str) -> Any:
    encoding = json.detect_encoding(body)
    try:
        text, odd = body.decode(encoding), False
    except UnicodeDecodeError:
        text, odd = body.decode(encoding, "surrogatepass"), True
    value = DECODER.decode(text)
    # Most answers have none of this, and the search costs less than a copy of the payload.
    odd = not _integers_fit(value) or odd or "\\u" in text or f'"{RESERVED}' in text
    if odd and (fit := _fit(value)) != value:
        _report_unfit(action)
        return fit
    return value


def _integers_fit(value: Any) -> bool:
    """Return whether all integers are of 64 bits; one walk, as a page of findings has thousands of values.

    :raises RecursionError: if it is nested deeper than :data:`MAX_DEPTH`.
    """
    fit = True
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            for child in item.values() if type(item) is dict else item:
                kind = type(child)
                if kind is dict or kind is list:
                    below.append(child)
                elif kind is int and not LEAST_INTEGER <= child < INTEGER_LIMIT:
                    fit = False
        if not below:
            return fit
        level = below
    raise RecursionError


def _fit(value: Any) -> Any:
    """Make a value fit for msgpack, JSON and a database."""
    match value:
        case str():
            return storable(value)
        case int() if not LEAST_INTEGER <= value < INTEGER_LIMIT:
            return str(value)
        case list():
            return [_fit(item) for item in value]
        case dict():
            return {_fit_key(key): _fit(item) for key, item in value.items()}
    return value


def _fit_key(key: str) -> str:
    return storable(f"\ufffd{key[1:]}" if key.startswith(RESERVED) else key)


@lru_cache(maxsize=64)
def _report_unfit(action: str) -> None:
    """Log once for each operation."""
    log.warning(
        "An answer of %s contains a value that Airflow cannot store: a lone surrogate, NUL, an integer beyond 64 bits, "
        "or a key that begins with %s. It is replaced.",
        action,
        RESERVED,
    )


def _oddity(error: Exception) -> str:
    """Return why a body could not be read."""
    match error:
        case RecursionError():
            return "nested too deeply"
        case UnicodeDecodeError():
            return f"not {error.encoding} text"
        case json.JSONDecodeError():
            return "not JSON, or cut short"
    return "not JSON: it contains a number that is too large, or NaN"


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


# json.loads would create a decoder for every answer.
DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _is_bad(code: str) -> bool:
    return code.lower() not in GOOD_CODES


def _is_unsuccessful(payload: Mapping[str, Any]) -> bool:
    """Tell whether the answer says ``Success: false``; all 137 answers with this field mean the call by it."""
    value = _value(payload, "Success")
    return value is False or (isinstance(value, str) and value.strip().lower() == "false")


def _own_status(payload: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that the payload itself reports for a failure."""
    text = _field(payload, "HttpStatusCode")
    return int(text) if text.isascii() and text.isdecimal() and len(text) == 3 and int(text) >= 400 else None


def _value(payload: Mapping[str, Any], name: str) -> Any:
    return payload.get(name, payload.get(name[0].lower() + name[1:]))


def _field(payload: Mapping[str, Any], name: str) -> str:
    value = _value(payload, name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the service asks to wait; the header is in milliseconds."""
    text = headers.get("x-acs-retry-after", "").strip()
    return int(text) / 1000 if text.isascii() and text.isdecimal() and 0 < len(text) < 12 and int(text) > 0 else None
