"""One Security Center as a connection describes it: where it is, who asks, and how patiently."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from airflow_provider_aegis.client.credentials.base import Clock as Clock
from airflow_provider_aegis.client.credentials.base import CredentialsProvider
from airflow_provider_aegis.client.protocol.endpoints import Endpoint, Site

# It has no state that forked processes would share, which would then all ask at the same moments.
JITTER = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Everything that calls to one Security Center need to know.

    :param conn_id: the connection that says all this.
    :param read_at: when it was read, seconds of the process's monotonic clock.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes of an answer.
    :param ca_bundle: path of a file with further certificate authorities to trust.
    :param max_requests_per_second: ceiling for all that this process asks of the account at this endpoint.
    :param site: the site whose console shows the account.
    :param on_secret: told every secret that is obtained, before it is used.
    :param on_secret_async: the same for an event loop, which ``on_secret`` may hold up.
    """

    endpoint: Endpoint
    credentials: CredentialsProvider
    conn_id: str = ""
    read_at: float = field(default_factory=time.monotonic)
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    ca_bundle: str | None = None
    max_requests_per_second: float = 5.0
    site: Site = "china"
    region: str | None = None
    clock: Clock = time
    rng: random.Random = field(default=JITTER, repr=False)
    on_secret: Callable[[str], object] | None = field(default=None, repr=False)
    on_secret_async: Callable[[str], Awaitable[object]] | None = field(default=None, repr=False)
