"""Small files, read in the background: a read from a mount that is gone never ends."""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from airflow_provider_aegis.client.flows.commands import Content, ReadFile
from airflow_provider_aegis.client.transport.background import in_background

SECONDS = 10.0
LATE = TimeoutError(errno.ETIMEDOUT, "it could not be read in time")


def read_file(wanted: ReadFile) -> Content | OSError:
    """Read a file: as many bytes as are requested, and one more if it is longer."""
    try:
        return _begin(wanted).result(timeout=SECONDS)
    except TimeoutError:
        return LATE


async def aread_file(wanted: ReadFile) -> Content | OSError:
    """Read a file as :func:`read_file` does, on an event loop."""
    try:
        async with asyncio.timeout(SECONDS):
            return await asyncio.wrap_future(_begin(wanted))
    except TimeoutError:
        return LATE


def _begin(wanted: ReadFile) -> Future[Content | OSError]:
    return in_background(("file", wanted), partial(_read, wanted))


def _read(wanted: ReadFile) -> Content | OSError:
    try:
        with Path(wanted.path).open("rb") as file:
            return Content(file.read(wanted.most + 1))
    except OSError as error:
        return error
    except ValueError:  # a path with a null in it, or with half a character
        return OSError(errno.EINVAL, "not the name of a file")
