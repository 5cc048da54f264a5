"""What the triggers of this provider share: arguments that are plain JSON, and flows run on the event loop."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from airflow.triggers.base import BaseTrigger

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError, UnreachableError
from airflow_provider_aegis.client.flows.exchange import Flow
from airflow_provider_aegis.client.transport.single_flight import SingleFlight
from airflow_provider_aegis.hooks.aegis import AegisHook

T = TypeVar("T")

# Far more than Airflow needs. Without it, a look-up that hangs would hold up every trigger that waits for it.
LOOK_UP_SECONDS = 60.0
TRANSPORT = "airflow_provider_aegis.client.transport.nonblocking"

_look_ups: SingleFlight[ClientConfig] = SingleFlight()
_transport: Any = None


async def run_flow(aegis_conn_id: str, region: str | None, flow: Callable[[ClientConfig], Flow[T]]) -> T:
    """Run a flow on the event loop, with the service that a connection describes.

    :param aegis_conn_id: id of the connection.
    :param region: wins over the connection's region.
    :param flow: makes the flow.
    :return: what the flow returns.
    :raises SecurityCenterError: as the flow does.
    :raises ConfigurationError: if the connection cannot be used.
    """
    # Hundreds of triggers may start together after a restart: their connection is looked up once for all of them.
    hook = AegisHook(aegis_conn_id=aegis_conn_id, region=region)
    config = await _look_ups.do((aegis_conn_id, region), lambda: _prepare(hook))
    async with _transport.open_transport(config) as connection:
        result: T = await connection.run_flow(flow(config))
        return result


async def _prepare(hook: AegisHook) -> ClientConfig:
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            config = await hook.aget_config()
    except TimeoutError as error:
        what = f"connection {hook.aegis_conn_id!r} could not be looked up within {LOOK_UP_SECONDS:g} s"
        raise UnreachableError(what) from error
    global _transport
    if _transport is None:
        # aiohttp is imported off the event loop, which an import of that size would hold up.
        _transport = await asyncio.to_thread(importlib.import_module, TRANSPORT)
    return config


class AegisTrigger(BaseTrigger):
    """A trigger whose every constructor argument is an attribute of the same name, and plain JSON."""

    aegis_conn_id: str
    region: str | None
    deadline: float | None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments; no secret is among them."""
        arguments = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run_flow(self, flow: Callable[[ClientConfig], Flow[T]]) -> T:
        """Run a flow with the service that this trigger's connection describes; see :func:`run_flow`."""
        return await run_flow(self.aegis_conn_id, self.region, flow)

    def monotonic_deadline(self, config: ClientConfig) -> float | None:
        """Return the deadline on the service's monotonic clock.

        :raises ConfigurationError: if it is not a number.
        """
        if self.deadline is None:
            return None
        if not isinstance(self.deadline, int | float) or math.isnan(self.deadline):
            raise ConfigurationError(f"deadline must be UNIX epoch seconds, not {self.deadline!r:.40}.")
        return config.clock.monotonic() + self.deadline - time.time()
