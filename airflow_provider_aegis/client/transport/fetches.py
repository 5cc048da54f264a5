"""Waiting for a fetch of credentials that another caller makes."""

from __future__ import annotations

import asyncio
import copy
import threading
from concurrent.futures import wait
from contextlib import suppress
from typing import TypeAlias

from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError, UnreachableError
from airflow_provider_aegis.client.flows.commands import Fetch, Join
from airflow_provider_aegis.client.protocol.signing import Credentials

# Longer than any source of credentials takes.
SECONDS = 120.0

Outcome: TypeAlias = Credentials | SecurityCenterError | ConfigurationError | None


def join(wanted: Join) -> Outcome:
    """Return the outcome of a fetch; ``None`` if it was abandoned, or cannot continue before this thread does."""
    if wanted.fetch.thread == threading.get_ident():
        return None
    wait((wanted.fetch.done,), min(wanted.seconds, SECONDS))
    return outcome_of(wanted.fetch)


async def ajoin(wanted: Join) -> Outcome:
    """Return the outcome of a fetch; ``None`` if it was abandoned."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.wrap_future(wanted.fetch.done), min(wanted.seconds, SECONDS))
    return outcome_of(wanted.fetch)


def too_late() -> UnreachableError:
    """Return the error of a caller whose time is up."""
    return UnreachableError("the credentials could not be fetched in time")


def outcome_of(fetch: Fetch) -> Outcome:
    """Return the outcome of a fetch; an error as a copy, because several callers may raise it."""
    if not fetch.done.done():
        return too_late()
    outcome = fetch.done.result()
    if isinstance(outcome, SecurityCenterError | ConfigurationError):
        return copy.copy(outcome)
    assert isinstance(outcome, Credentials | None)
    return outcome
