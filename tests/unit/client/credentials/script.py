"""A source of credentials that a test writes, and a provider over it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from airflow_provider_aegis.client.credentials.base import Clock, Fetched
from airflow_provider_aegis.client.credentials.refreshing import RefreshingCredentials
from airflow_provider_aegis.client.flows.commands import Flow, Sleep
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import FakeClock, Stage, config


@dataclass
class Script:
    """Credentials that live for ``life`` seconds, or the error that is there.

    :param pause: seconds that a fetch takes, of whatever clock the driver goes by.
    """

    clock: FakeClock
    life: float | None = 3600.0
    error: Exception | None = None
    pause: float = 0.0
    same: bool = False
    fetches: int = 0
    begun: threading.Event = field(default_factory=threading.Event)
    account: str = "account 1"

    def fetch(self, clock: Clock) -> Flow[Fetched]:
        assert clock is self.clock
        self.fetches += 1
        number = 1 if self.same else self.fetches
        self.begun.set()
        if self.pause:
            yield Sleep(self.pause)
        if self.error:
            raise self.error
        expires = None if self.life is None else self.clock.time() + self.life
        return Fetched(Credentials(f"id-{number}", f"secret-{number}", f"token-{number}"), expires)


@dataclass
class Rig:
    """A provider over a script, and a stage to ask it from."""

    script: Script
    provider: RefreshingCredentials
    stage: Stage

    def get(self, refused: Credentials | None = None) -> Credentials:
        return self.provider.ready(refused) or self.stage.run_flow(self.provider.get(refused))


def make(life: float | None = 3600.0) -> Rig:
    clock = FakeClock(now=1000.0)
    script = Script(clock, life)
    provider = RefreshingCredentials(script, clock=clock)
    return Rig(script, provider, Stage(config(clock=clock, credentials=provider)))
