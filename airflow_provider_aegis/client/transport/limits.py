"""The limits of an answer, in size and in time, and their errors; both transports share them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_aegis import __version__
from airflow_provider_aegis.client.errors import ProtocolError

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_ANSWER_SECONDS = 60.0
# Of headers, chunk sizes and trailers together, where the library does not bound them by itself.
MAX_OVERHEAD_BYTES = 64 * 1024
# The service is reported to reset connections that are idle for about 10 s; a write must not meet that.
KEEP_IDLE_SECONDS = 8.0
READ_SIZE = 64 * 1024
TOO_LONG = f"the answer is longer than {MAX_ANSWER_BYTES // 1024 // 1024} MiB"
LEAVES_HTTP = "the endpoint switches to another protocol"

# Answers are not compressed: a compressed one could be far larger than its bytes on the wire.
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"airflow-provider-aegis/{__version__}",
}


def refused_response(why: str, status: int, headers: Mapping[str, str]) -> ProtocolError:
    """Return the error of an answer that is not read to its end."""
    return ProtocolError(why, http_status=status, request_id=headers.get("x-acs-request-id", ""))


def oversized(what: object) -> ProtocolError:
    """Return the error of an answer with too long headers, chunk sizes or trailers."""
    return ProtocolError(f"the head of the answer is too long: {what}", passing=True)


def too_slow(
    seconds: float, status: int | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> ProtocolError:
    """Return the error of an answer that was not complete in time."""
    why = f"the answer was not complete after {seconds:.3g} s"
    return ProtocolError(why, http_status=status, request_id=headers.get("x-acs-request-id", ""), passing=True)
