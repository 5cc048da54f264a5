"""Waiting until a count stands still: what a scan found may be listed minutes after its end.

Two looks that agree are no proof, as both may come before the service has begun to count. So the pause between them is
a minute where nothing else is said, and the caller is told whether they agreed or the time was up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.flows.commands import Flow, Sleep

PAUSE_SECONDS = 60.0
LONGEST_SECONDS = 300.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of the wait.

    :param agreed: whether the last two looks gave the same count.
    :param looks: the count of each look.
    :param seconds: how long it took.
    """

    agreed: bool
    looks: tuple[int, ...]
    seconds: float

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.looks))
        said = "stood still" if self.agreed else "still moved when the time was up"
        return f"The count {said} after {self.seconds:.0f} s ({shown})."


def settle(
    config: ClientConfig,
    look: Callable[[], Flow[int]],
    *,
    pause: float = PAUSE_SECONDS,
    longest: float = LONGEST_SECONDS,
) -> Flow[Settled]:
    """Look at a count until two looks in a row agree, or the time is up.

    :param look: reads the count.
    :param pause: seconds between two looks.
    :param longest: seconds in all; the last look is then.
    :return: whether they agreed; both outcomes are logged.
    :raises SecurityCenterError: if a look fails.
    """
    now = config.clock.monotonic
    began = now()
    looks = [(yield from look())]
    while not (agreed := len(looks) > 1 and looks[-1] == looks[-2]):
        left = longest - (now() - began)
        if left <= 0:
            break
        yield Sleep(min(pause, left))
        looks.append((yield from look()))
    settled = Settled(agreed, tuple(looks), now() - began)
    log.log(logging.INFO if agreed else logging.WARNING, "%s", settled)
    return settled
