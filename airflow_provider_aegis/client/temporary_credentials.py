"""Keys that expire: kept until shortly before, fetched by one caller for all, and never shown."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_aegis.client.errors import ClockError, ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.signing import Credentials

# Keys are fetched again so long before they expire, or a fifth of their life before if that is less.
LONGEST_MARGIN = 180.0
MARGIN_SHARE = 0.2
# Keys that do not say when they expire; the vendor's library hands them out with a quarter of an hour left or more.
UNKNOWN_LIFETIME = 300.0
# While the service that hands out keys is out of order and the old ones are good, it is asked so often.
PAUSE = 10.0
# Who asks whether it has to wait gets an answer that holds for at least as long as it then takes to ask for the keys.
SLACK = 1.0


class Clock(Protocol):
    """What time it is."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """Keys as they were handed out.

    :param expires: seconds since the epoch, ``None`` where nobody said.
    """

    credentials: Credentials
    expires: float | None = None


class Source(Protocol):
    """A service that hands out keys."""

    @property
    def account(self) -> str:
        """What stays the same when the keys change."""
        ...

    def fetch(self) -> Fetched:
        """Ask for keys, which may take seconds.

        :raises SecurityCenterError: if there are none.
        """
        ...


class TemporaryCredentials:
    """Keys that are fetched when they are needed, kept, and fetched again before they expire.

    Of many that ask at the same time one fetches, and the others are given what it got, be it keys or an error.

    :param source: where the keys come from.
    :param on_secret: told every secret before anything else can see it.
    """

    def __init__(
        self, source: Source, *, on_secret: Callable[[str], object] | None = None, clock: Clock = time
    ) -> None:
        self._source = source
        self._on_secret = on_secret
        self._clock = clock
        # A task that is killed cancels its scan from a signal handler, maybe while its own thread fetches.
        self._lock = threading.RLock()
        self._kept: _Kept | None = None
        self._failure: tuple[float, Exception] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._source!r})"

    @property
    def blocks(self) -> bool:
        """Whether keys have to be fetched now or in a moment."""
        kept = self._kept
        return kept is None or self._clock.monotonic() + SLACK >= kept.fresh_until

    @property
    def account(self) -> str:
        """What stays the same when the keys change."""
        return self._source.account

    def get(self, *, refused: Credentials | None = None) -> Credentials:
        """Return keys that are good for a while.

        :param refused: keys of which the service said that they have expired.
        :raises SecurityCenterError: if there are none; it is transient where asking again may help.
        :raises ConfigurationError: if the connection's settings cannot be used, or a library is missing.
        """
        asked = self._clock.monotonic()
        if keys := self._fresh(refused):
            return keys
        with self._lock:
            if keys := self._fresh(refused):
                return keys
            if self._failure and self._failure[0] > asked:
                raise copy.copy(self._failure[1])
            try:
                return self._fetch()
            except (SecurityCenterError, ConfigurationError) as error:
                self._failure = (self._clock.monotonic(), copy.copy(error))
                keys = self._still_good(refused)
                if keys is None or not getattr(error, "transient", False):
                    raise
                return keys

    def _fresh(self, refused: Credentials | None) -> Credentials | None:
        kept = self._kept
        if kept is None or kept.credentials == refused or self._clock.monotonic() >= kept.fresh_until:
            return None
        return kept.credentials

    def _still_good(self, refused: Credentials | None) -> Credentials | None:
        """Return the old keys if they have not expired, and let some time pass before the next try."""
        kept, now = self._kept, self._clock.monotonic()
        if kept is None or kept.credentials == refused or now >= kept.good_until:
            return None
        kept.fresh_until = min(kept.good_until, now + PAUSE)
        return kept.credentials

    def _fetch(self) -> Credentials:
        now = self._clock.monotonic()  # before the request: the keys' life began after it
        fetched = self._source.fetch()
        keys = fetched.credentials
        for secret in (keys.access_key_secret, keys.security_token):
            if secret and self._on_secret:
                self._on_secret(secret.reveal())
        life = UNKNOWN_LIFETIME if fetched.expires is None else fetched.expires - self._clock.time()
        if life <= 0:
            raise ClockError("the keys that were handed out have expired already; is this machine's clock off?")
        margin = min(LONGEST_MARGIN, life * MARGIN_SHARE)
        self._kept = _Kept(keys, fresh_until=now + life - margin, good_until=now + life)
        return keys


@dataclass(slots=True)
class _Kept:
    """Keys that are kept.

    :param fresh_until: monotonic seconds from which on others are fetched.
    :param good_until: monotonic seconds at which they expire.
    """

    credentials: Credentials
    fresh_until: float
    good_until: float
