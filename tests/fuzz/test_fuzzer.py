"""The coverage-guided fuzzer over both targets, 10 minutes in all: they run side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("AEGIS_FUZZ_SECONDS", "300"))
# What libFuzzer takes to come up and to write its statistics, beyond the time that it is given.
GRACE = 120.0
ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no build for this system or this Python"),
]


def start(target: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", target, str(folder)]
    return subprocess.Popen(
        [*command, f"-max_total_time={SECONDS:.0f}", "-print_final_stats=1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def test_no_bytes_make_more_of_an_answer_or_a_connection_than_an_error_of_this_package(tmp_path: Path) -> None:
    """No other exception, nothing that takes 5 s, and never 64 MiB more memory than after the import."""
    running = {target: start(target, tmp_path / target) for target in ("answers", "connections")}
    try:
        told = {target: process.communicate(timeout=SECONDS + GRACE)[0] for target, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    for target, process in running.items():
        found = [(path.name, path.read_bytes()) for path in (tmp_path / target).iterdir() if "-" in path.name]
        assert process.returncode == 0, f"{target}: {found}\n{told[target][-6000:]}"
        assert found == []
        assert "stat::number_of_executed_units" in told[target]
