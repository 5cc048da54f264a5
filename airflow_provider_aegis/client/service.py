"""One Security Center as a connection describes it: where it is, who asks, and how patiently."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_aegis.client.credentials import CredentialsProvider
from airflow_provider_aegis.client.endpoints import Endpoint, Site

# It has no state that forked processes would share, which would then all ask at the same moments.
JITTER = random.SystemRandom()


class Clock(Protocol):
    """What time it is; tests bring their own."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that calls to one Security Center need to know.

    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes of an answer.
    :param ca_bundle: path of a file with further certificate authorities to trust.
    :param max_requests_per_second: ceiling for all that this process asks of the account at this endpoint.
    :param site: the site whose console shows the account.
    """

    endpoint: Endpoint
    credentials: CredentialsProvider
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    ca_bundle: str | None = None
    max_requests_per_second: float = 5.0
    site: Site = "china"
    region: str | None = None
    clock: Clock = time
    rng: random.Random = field(default=JITTER, repr=False)
