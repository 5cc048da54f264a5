"""300 tasks (or AEGIS_SOAK_TASKS) that random kills, users and faults hit, and no promise is broken."""

from __future__ import annotations

import os
import random

import pytest

from .__main__ import LANES, soak
from .report import broken, story, table


@pytest.mark.soak
def test_no_promise_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = int(os.environ.get("AEGIS_SOAK_TASKS", "300"))
    seed = int(os.environ.get("AEGIS_SOAK_SEED", random.randrange(10**6)))
    with capsys.disabled():
        print(f"\nseed {seed}", flush=True)
        verdicts = soak(range(-(-tasks // LANES)), seed=seed)
        print(table(verdicts), flush=True)
    assert not broken(verdicts), "\n".join(line for one in verdicts if one.findings for line in story(one))
