"""Whether a request is signed by somebody the emulator knows; no I/O, and the time comes from outside."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_provider_aegis.client.protocol.signing import (
    ALGORITHM,
    Credentials,
    authorization,
    canonical_query,
    sha256_hex,
)
from airflow_provider_aegis.emulator.errors import EmulatedError
from airflow_provider_aegis.emulator.http import Request
from airflow_provider_aegis.emulator.settings import Seconds, check

WINDOW = 15 * 60.0
MUST_BE_SIGNED = (
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
)
TOKEN = "x-acs-security-token"

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=(?P<key>[^,\s]+), *SignedHeaders=(?P<names>[^,\s]+),"
    r" *Signature=(?P<digest>[0-9a-f]{64})"
)
_DATE_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """An access key that is accepted; its ``repr`` shows no secret.

    :param secret: what requests are signed with.
    :param token: the STS token that has to come with it, for temporary keys.
    :param seconds: how long the token is good from when the key is made known; ``None`` for ever.
    """

    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Check how long it is good.

        :raises ValueError: if that is no span of time.
        """
        check("seconds", self.seconds, Seconds | None)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What the Authorization header of a request says."""

    access_key_id: str
    signed: frozenset[str]
    digest: str = field(repr=False)


def read_authorization(request: Request) -> Authorization | None:
    """Read the Authorization header; ``None`` if it is missing or garbled."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    return found and Authorization(found["key"], frozenset(found["names"].lower().split(";")), found["digest"])


@dataclass(slots=True)
class _Held:
    key: Key
    until: float | None
    active: bool = True


class Authenticator:
    """Lets through what is signed with one of its keys.

    Every time of day it is given is in seconds since the epoch; ``monotonic`` is of a clock that never jumps.
    """

    def __init__(self) -> None:
        self._keys: dict[str, _Held] = {}
        self._nonces: dict[tuple[str, str], float] = {}

    @property
    def access_key_ids(self) -> list[str]:
        """The ids of the keys, revoked ones included."""
        return list(self._keys)

    def add(self, access_key_id: str, key: Key, *, monotonic: float) -> None:
        """Make a key known, in place of one of the same id."""
        self._keys[access_key_id] = _Held(key, None if key.seconds is None else monotonic + key.seconds)

    def switch(self, access_key_id: str, *, active: bool) -> None:
        """Disable or enable a key.

        :raises ValueError: if there is no such key.
        """
        if access_key_id not in self._keys:
            raise ValueError(f"there is no access key {access_key_id!r}")
        self._keys[access_key_id].active = active

    def admit(self, request: Request, *, now: float, monotonic: float) -> str:
        """Check a request and return the id of the key that signed it.

        :raises EmulatedError: saying what is wrong with it.
        """
        claim = read_authorization(request)
        if claim is None:
            raise EmulatedError("IncompleteSignature", "There is no Authorization header of signature version 3.")
        self._check_signed_names(request, claim)
        self._check_date(request.headers["x-acs-date"], now)
        held = self._keys.get(claim.access_key_id)
        if held is None:
            raise EmulatedError("InvalidAccessKeyId.NotFound")
        if not held.active:
            raise EmulatedError("InvalidAccessKeyId.Inactive")
        self._check_token(request.headers.get(TOKEN), held, monotonic)
        self._check_digest(request, claim, held.key)
        # Last of all, so that only who holds the secret can use a nonce up.
        self._check_nonce((claim.access_key_id, request.headers["x-acs-signature-nonce"]), monotonic)
        return claim.access_key_id

    def _check_signed_names(self, request: Request, claim: Authorization) -> None:
        needed = {*MUST_BE_SIGNED} | ({TOKEN} & request.headers.keys())
        if request.body:
            needed |= {"content-type"} & request.headers.keys()
        if missing := needed - claim.signed:
            raise EmulatedError("IncompleteSignature", f"Not signed: {', '.join(sorted(missing))}.")
        if absent := claim.signed - request.headers.keys():
            raise EmulatedError("IncompleteSignature", f"Signed, but not sent: {', '.join(sorted(absent))}.")

    def _check_date(self, text: str, now: float) -> None:
        try:
            date = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise EmulatedError("InvalidTimeStamp.Format") from None
        if not _DATE_FORM.fullmatch(text):  # strptime takes a single digit as well
            raise EmulatedError("InvalidTimeStamp.Format")
        if abs(date.timestamp() - now) > WINDOW:
            raise EmulatedError("InvalidTimeStamp.Expired")

    def _check_token(self, token: str | None, held: _Held, monotonic: float) -> None:
        if not hmac.compare_digest((token or "").encode(), (held.key.token or "").encode()):
            raise EmulatedError("InvalidSecurityToken.Malformed")
        if held.until is not None and monotonic >= held.until:
            raise EmulatedError("InvalidSecurityToken.Expired")

    def _check_digest(self, request: Request, claim: Authorization, key: Key) -> None:
        pairs = request.pairs
        payload_hash = request.headers["x-acs-content-sha256"]
        expected = authorization(
            method=request.method,
            path=request.path,
            query=canonical_query(dict(request.query_pairs)),
            headers={name: request.headers[name] for name in claim.signed},
            payload_hash=payload_hash,
            credentials=Credentials(claim.access_key_id, key.secret),
        ).rpartition("=")[2]
        hash_fits = hmac.compare_digest(payload_hash.encode(), sha256_hex(request.body).encode())
        # A name given twice could be signed as the one and read as the other.
        if not (hmac.compare_digest(expected, claim.digest) and hash_fits and len(dict(pairs)) == len(pairs)):
            raise EmulatedError("SignatureDoesNotMatch")

    def _check_nonce(self, nonce: tuple[str, str], monotonic: float) -> None:
        # Beyond twice the window a repeated request is refused for its date.
        while self._nonces and monotonic - self._nonces[oldest := next(iter(self._nonces))] > 2 * WINDOW:
            del self._nonces[oldest]
        if nonce in self._nonces:
            raise EmulatedError("SignatureNonceUsed")
        self._nonces[nonce] = monotonic
