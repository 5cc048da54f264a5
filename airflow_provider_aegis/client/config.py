"""Client configuration: endpoint, credentials, time-outs, rate limit."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from airflow_provider_aegis.client.credentials.base import Clock as Clock
from airflow_provider_aegis.client.credentials.base import CredentialsProvider
from airflow_provider_aegis.client.protocol.endpoints import Endpoint, Site

# It has no state that forked processes would share: they would all send at the same moments.
JITTER = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What a client of one Security Center needs to know.

    :param conn_id: the connection that this was read from.
    :param read_at: when it was read, seconds of the process's monotonic clock.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes of an answer.
    :param ca_bundle: path of a file with further certificate authorities to trust.
    :param max_requests_per_second: the most requests of this process to the account at this endpoint.
    :param max_poll_delay: the most seconds before a read of a scan's status, whatever a task's intervals say.
    :param site: the site whose console shows the account.
    :param lang: the language of texts in findings, ``en`` or ``zh``.
    :param on_secret: called with every secret that is obtained, before it is used.
    :param on_secret_async: the same on an event loop, which ``on_secret`` may block.
    """

    endpoint: Endpoint
    credentials: CredentialsProvider
    conn_id: str = ""
    read_at: float = field(default_factory=time.monotonic)
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    ca_bundle: str | None = None
    max_requests_per_second: float = 5.0
    max_poll_delay: float = math.inf
    site: Site = "china"
    region: str | None = None
    lang: str = "en"
    clock: Clock = time
    rng: random.Random = field(default=JITTER, repr=False)
    on_secret: Callable[[str], object] | None = field(default=None, repr=False)
    on_secret_async: Callable[[str], Awaitable[object]] | None = field(default=None, repr=False)
