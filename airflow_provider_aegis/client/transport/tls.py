"""The trusted certificate authorities, read in the background: their files may be on a mount that hangs."""

from __future__ import annotations

import asyncio
import os
import ssl
from concurrent.futures import Future
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

from airflow_provider_aegis.client.errors import ConfigurationError, UnreachableError
from airflow_provider_aegis.client.transport.background import in_background

# A file's time of change, size and inode: they show that a bundle was replaced.
Version: TypeAlias = tuple[int, int, int]


def read_tls_context(ca_bundle: str | None, seconds: float) -> ssl.SSLContext:
    """Return the TLS settings as :func:`tls_context` does, in time.

    :param seconds: the time limit; a mount that is gone never answers.
    :raises UnreachableError: if the files could not be read in time.
    """
    try:
        return _begin(ca_bundle).result(timeout=seconds)
    except TimeoutError:
        raise _hung(ca_bundle, seconds) from None


async def aread_tls_context(ca_bundle: str | None, seconds: float) -> ssl.SSLContext:
    """Return the TLS settings as :func:`read_tls_context` does, on an event loop."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(_begin(ca_bundle))
    except TimeoutError:
        raise _hung(ca_bundle, seconds) from None


def trust_changed() -> UnreachableError:
    """Return the error of an endpoint that could not be verified, if the certificate authorities have changed since."""
    return UnreachableError("TLS could not verify the endpoint, and the files of certificate authorities have changed")


def _begin(ca_bundle: str | None) -> Future[ssl.SSLContext]:
    return in_background(("certificate authorities", ca_bundle), partial(tls_context, ca_bundle))


def _hung(ca_bundle: str | None, seconds: float) -> UnreachableError:
    which = f" (ca_bundle {ca_bundle!r})" if ca_bundle else ""
    return UnreachableError(f"the certificate authorities{which} could not be read within {seconds:.3g} s")


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the TLS settings of a connection, cached until a file changes. They always verify the endpoint.

    :param ca_bundle: path of a file with certificate authorities to trust besides the usual ones.
    :raises ConfigurationError: if there is no such file, or no certificate in it.
    """
    import certifi

    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    name, usual = next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", certifi.where()))
    files = [(name, usual), ("ca_bundle", ca_bundle)] if ca_bundle else [(name, usual)]
    return _load(tuple((what, path, _version(what, path)) for what, path in files))


@lru_cache(maxsize=16)
def _load(files: tuple[tuple[str, str, Version], ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for what, path, _ in files:
        try:
            context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
        except (OSError, ValueError) as error:
            raise _unreadable(what, path, error) from error
    return context


def _version(what: str, path: str) -> Version:
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:  # the second for a path that cannot be one
        raise _unreadable(what, path, error) from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _unreadable(what: str, path: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"{what} {path!r} cannot be read as PEM certificates: {error}.")
