"""Temporary credentials: cached, fetched by one caller for all, and refreshed before they expire.

From :data:`EARLY` before they expire one caller refreshes them, while the others use the cached ones; if that refresh
fails, it is tried again a little later. From :data:`LATE` on, or if the service has refused the cached ones, every
caller waits for the refresh and gets its outcome, credentials or an error.

A process makes one fetch at a time: a caller in another thread or on another event loop joins it. Only a blocking
caller on the thread that fetches cannot wait, as a signal handler, or blocking code on an event loop: it makes a fetch
of its own.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from airflow_provider_aegis.client.credentials.base import Clock, Source, secrets_of
from airflow_provider_aegis.client.errors import ClockError, ConfigurationError, ExpiredTokenError, SecurityCenterError
from airflow_provider_aegis.client.flows.commands import Fetch, Flow, Join, Mask
from airflow_provider_aegis.client.protocol.signing import Credentials

log = logging.getLogger(__name__)

# Seconds before the credentials expire, or a share of their lifetime if that is less.
EARLY, EARLY_SHARE = 180.0, 0.2
LATE, LATE_SHARE = 30.0, 0.05
# Seconds after which credentials without an expiry are read again: they may have been replaced.
UNKNOWN_LIFETIME = 300.0
# Seconds from an early refresh that failed to the next one.
PAUSE = 10.0
# The number of sources whose credentials are cached; the least recently used one is dropped first.
MOST_PROVIDERS = 64


class RefreshingCredentials:
    """The credentials of a source, cached and refreshed as this module describes.

    :param source: the source of the credentials.
    """

    def __init__(self, source: Source, *, clock: Clock = time) -> None:
        self._source = source
        self._clock = clock
        self._kept: _Kept | None = None
        self._refused: Credentials | None = None
        # At most one entry. dict.setdefault decides which caller fetches: a lock could be held by the code that a
        # signal interrupts, or by another thread while the process forks.
        self._under_way: dict[str, Fetch] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._source!r})"

    @property
    def account(self) -> str:
        """A name that stays the same when the credentials change."""
        return self._source.account

    def ready(self, refused: Credentials | None = None) -> Credentials | None:
        """Return the cached credentials, or ``None`` if this caller must fetch others or wait for them."""
        kept, now = self._kept, self._clock.monotonic()
        if kept is None or kept.credentials in (refused, self._refused) or now >= kept.good_until:
            return None
        return kept.credentials if now < kept.fresh_until or self._under_way else None

    def _fresh(self) -> Credentials | None:
        """Return the cached credentials if it is too early to refresh them."""
        kept = self._kept
        fresh = kept and kept.credentials != self._refused and self._clock.monotonic() < kept.fresh_until
        return kept.credentials if kept and fresh else None

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        """Return credentials that do not expire soon.

        :param refused: credentials that the service has refused as expired; no caller gets them again.
        :raises SecurityCenterError: if there are none; it is transient if a retry may help.
        :raises ConfigurationError: if what is configured cannot be used.
        """
        self._refused = refused or self._refused
        while not (credentials := self.ready()):
            mine = Fetch()
            fetch = self._under_way.setdefault("", mine)
            if fetch.process != mine.process:  # the parent of this forked process makes it
                fetch = self._under_way[""] = mine
            if fetch is mine:
                return (yield from self._fetch(mine))
            reply = yield Join(fetch)
            if isinstance(reply, SecurityCenterError | ConfigurationError):
                raise reply
            if reply is None and not fetch.done.done():
                return (yield from self._fetch(mine))
        return credentials

    def _fetch(self, fetch: Fetch) -> Flow[Credentials]:
        """Fetch, and give the outcome to the callers that joined."""
        outcome: Credentials | Exception | None = None
        try:
            # Another caller may have fetched meanwhile.
            outcome = credentials = self._fresh() or (yield from self._obtain())
            return credentials
        except (SecurityCenterError, ConfigurationError) as error:
            outcome = copy.copy(error)
            if kept := self._still_good(error):
                return kept
            raise
        finally:
            if self._under_way.get("") is fetch:
                del self._under_way[""]
            fetch.done.set_result(outcome)

    def _obtain(self) -> Flow[Credentials]:
        now = self._clock.monotonic()  # before the request, because the lifetime of the credentials begins after it
        fetched = yield from self._source.fetch(self._clock)
        credentials = fetched.credentials
        yield Mask(secrets_of(credentials))
        life = UNKNOWN_LIFETIME if fetched.expires is None else fetched.expires - self._clock.time()
        if life <= 0:
            raise ClockError("the credentials have expired already when they were fetched")
        if credentials == self._refused:
            raise ExpiredTokenError("the fetched credentials are those that Security Center has refused")
        early, late = min(EARLY, life * EARLY_SHARE), min(LATE, life * LATE_SHARE)
        self._kept = _Kept(credentials, fresh_until=now + life - early, good_until=now + life - late)
        return credentials

    def _still_good(self, error: Exception) -> Credentials | None:
        """Return the cached credentials if they are still good after a failed refresh, and delay the next refresh."""
        kept, now = self._kept, self._clock.monotonic()
        if kept is None or kept.credentials == self._refused or now >= kept.good_until:
            return None
        kept.fresh_until = min(kept.good_until, now + PAUSE)
        left = kept.good_until - now
        log.warning("Credentials could not be refreshed; the present ones are good for %.0f s more. %s", left, error)
        return kept.credentials


@dataclass(slots=True)
class _Kept:
    """Cached credentials.

    :param fresh_until: monotonic seconds from which on one caller refreshes them.
    :param good_until: monotonic seconds from which on no caller gets them.
    """

    credentials: Credentials
    fresh_until: float
    good_until: float


_providers: OrderedDict[tuple[Source, str | None], RefreshingCredentials] = OrderedDict()
_providers_lock = threading.RLock()


def shared_credentials(source: Source, *, ca_bundle: str | None = None) -> RefreshingCredentials:
    """Return this process's one provider for all connections with the same source.

    :param ca_bundle: path of a file with certificate authorities of the source, besides the usual ones.
    """
    with _providers_lock:
        provider = _providers.setdefault((source, ca_bundle), RefreshingCredentials(source))
        _providers.move_to_end((source, ca_bundle))
        while len(_providers) > MOST_PROVIDERS:
            _providers.popitem(last=False)
        return provider
