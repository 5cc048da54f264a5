"""What an error tracker finds: an error's traceback with the local variables of all frames, and all that is in it."""

from __future__ import annotations

import traceback

from airflow_provider_aegis.client.errors import SecurityCenterError


def captured(error: BaseException) -> str:
    """Return all that can be read off an error and those that led to it; not the variables of the caller itself."""
    if error.__traceback__:
        error.__traceback__ = error.__traceback__.tb_next
    seen, chain = "", [error]
    for one in chain:
        seen += "".join(traceback.TracebackException.from_exception(one, capture_locals=True).format())
        seen += f"{one!r} {one} {one.args!r} {vars(one)!r}"
        if isinstance(one, SecurityCenterError):
            seen += f"{one.as_dict()}"
        chain += [each for each in (one.__cause__, one.__context__) if each and each not in chain]
    return seen
