"""What tells secrets on purpose: to see that Airflow's masker knows them, and that the search would find them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_aegis.client.credentials.base import authenticate
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from airflow_provider_aegis.hooks.aegis import AegisHook
from tests.captured import captured

log = logging.getLogger("airflow.task.canary")


def tell(where: str, keys: Credentials) -> None:
    """Log keys as a careless program would."""
    secret, token = keys.access_key_secret, keys.security_token
    log.info("%s has secret=%s token=%s", where, secret.reveal(), token and token.reveal())


def track(context: Mapping[str, Any]) -> None:
    """Write down what an error tracker finds of the error that a task fails with."""
    folder = Path(os.environ["AIRFLOW_HOME"]) / "tracked"
    folder.mkdir(exist_ok=True)
    error = context["exception"]
    if isinstance(error, BaseException):
        (folder / context["ti"].task_id).write_text(captured(error))


class TellingTrigger(BaseTrigger):
    """Tells a connection's keys in the triggerer."""

    def __init__(self, aegis_conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aegis_conn_id = aegis_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores."""
        return f"{__name__}.TellingTrigger", {"aegis_conn_id": self.aegis_conn_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Get the keys as a wait does."""
        config = await AegisHook(self.aegis_conn_id).aget_config()
        async with open_transport(config) as transport:
            tell("the trigger", await transport.run_flow(authenticate()))
        yield TriggerEvent({"told": self.aegis_conn_id})  # type: ignore[no-untyped-call]


class DecoyTrigger(BaseTrigger):
    """Keeps a text in its row for as long as it waits, which is for ever."""

    def __init__(self, decoy: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.decoy = decoy

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores."""
        return f"{__name__}.DecoyTrigger", {"decoy": self.decoy}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Tell the text, and wait."""
        log.info("the trigger has %s", self.decoy)
        await asyncio.Event().wait()
        yield TriggerEvent({})  # type: ignore[no-untyped-call]
