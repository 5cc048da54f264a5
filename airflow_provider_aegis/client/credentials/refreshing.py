"""Temporary credentials: kept while they are good, fetched by one caller for all, and refreshed ahead.

From :data:`EARLY` before they expire one caller refreshes them, while the others go on with those at hand; a refresh
that fails then is tried again a little later. From :data:`LATE` on, or where the service has refused those at hand,
everybody waits for the refresh and is given what came of it, credentials or an error.

One fetch is under way at a time in a process: a caller in another thread or on another event loop joins it. Only a
blocking caller on the very thread that fetches cannot wait, as a signal handler, or blocking code on an event loop: it
fetches for itself.
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

# Seconds before the credentials expire, and shares of their life where that is less.
EARLY, EARLY_SHARE = 180.0, 0.2
LATE, LATE_SHARE = 30.0, 0.05
# Credentials that do not say when they expire are read again so often: somebody may have replaced them.
UNKNOWN_LIFETIME = 300.0
# After a refresh ahead of time has failed, the next one is tried so much later.
PAUSE = 10.0
# Connections whose credentials are remembered; the one that was not read for longest is forgotten first.
MOST_PROVIDERS = 64


class RefreshingCredentials:
    """Credentials of a source, kept and refreshed as this module says.

    :param source: where the credentials come from.
    """

    def __init__(self, source: Source, *, clock: Clock = time) -> None:
        self._source = source
        self._clock = clock
        self._kept: _Kept | None = None
        self._refused: Credentials | None = None
        # At most one entry. dict.setdefault decides who fetches: a lock could be held by what a signal interrupts, or
        # by another thread while the process forks.
        self._under_way: dict[str, Fetch] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._source!r})"

    @property
    def account(self) -> str:
        """What stays the same when the credentials change."""
        return self._source.account

    def ready(self, refused: Credentials | None = None) -> Credentials | None:
        """Return the credentials at hand, or nothing where this caller has to fetch others or to wait for them."""
        kept, now = self._kept, self._clock.monotonic()
        if kept is None or kept.credentials in (refused, self._refused) or now >= kept.good_until:
            return None
        return kept.credentials if now < kept.fresh_until or self._under_way else None

    def _fresh(self) -> Credentials | None:
        """Return the credentials at hand if it is too early to refresh them."""
        kept = self._kept
        fresh = kept and kept.credentials != self._refused and self._clock.monotonic() < kept.fresh_until
        return kept.credentials if kept and fresh else None

    def get(self, refused: Credentials | None = None) -> Flow[Credentials]:
        """Return credentials that are good for a while.

        :param refused: credentials of which the service said that they have expired; nobody gets them any more.
        :raises SecurityCenterError: if there are none; it is transient where asking again may help.
        :raises ConfigurationError: if what is configured leads to none.
        """
        self._refused = refused or self._refused
        while not (credentials := self.ready()):
            mine = Fetch()
            fetch = self._under_way.setdefault("", mine)
            if fetch.process != mine.process:  # it is under way in the process that this one was forked from
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
        """Fetch, and give those that joined what came of it."""
        outcome: Credentials | Exception | None = None
        try:
            # Another caller may have fetched since this one looked.
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
        now = self._clock.monotonic()  # before the request: the credentials' life began after it
        fetched = yield from self._source.fetch(self._clock)
        credentials = fetched.credentials
        yield Mask(secrets_of(credentials))
        life = UNKNOWN_LIFETIME if fetched.expires is None else fetched.expires - self._clock.time()
        if life <= 0:
            raise ClockError("the credentials that were handed out have expired already; is this machine's clock off?")
        if credentials == self._refused:
            raise ExpiredTokenError("the credentials that were handed out are those that Security Center has refused")
        early, late = min(EARLY, life * EARLY_SHARE), min(LATE, life * LATE_SHARE)
        self._kept = _Kept(credentials, fresh_until=now + life - early, good_until=now + life - late)
        return credentials

    def _still_good(self, error: Exception) -> Credentials | None:
        """Return the credentials at hand if they are good after a refresh has failed, and put off the next one."""
        kept, now = self._kept, self._clock.monotonic()
        if kept is None or kept.credentials == self._refused or now >= kept.good_until:
            return None
        kept.fresh_until = min(kept.good_until, now + PAUSE)
        left = kept.good_until - now
        log.warning("Credentials could not be refreshed; those at hand are good for %.0f s more. %s", left, error)
        return kept.credentials


@dataclass(slots=True)
class _Kept:
    """Credentials at hand.

    :param fresh_until: monotonic seconds from which on one caller refreshes them.
    :param good_until: monotonic seconds from which on nobody is given them.
    """

    credentials: Credentials
    fresh_until: float
    good_until: float


_providers: OrderedDict[tuple[Source, str | None], RefreshingCredentials] = OrderedDict()
_providers_lock = threading.RLock()


def shared_credentials(source: Source, *, ca_bundle: str | None = None) -> RefreshingCredentials:
    """Return this process's one provider for all connections with the same source.

    :param ca_bundle: path of the file by which the source is trusted besides the usual authorities.
    """
    with _providers_lock:
        provider = _providers.setdefault((source, ca_bundle), RefreshingCredentials(source))
        _providers.move_to_end((source, ca_bundle))
        while len(_providers) > MOST_PROVIDERS:
            _providers.popitem(last=False)
        return provider
