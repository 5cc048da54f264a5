"""The coverage-guided fuzzer: ``python -m tests.fuzz answers FOLDER -max_total_time=300``.

The folder holds what is worth keeping: the corpus, and an input that failed. What follows it goes to libFuzzer.
"""

from __future__ import annotations

import importlib
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

# Not everywhere is there a build of it, so its types are not there either.
atheris: Any = importlib.import_module("atheris")

MOST_GROWTH_MIB = 64
# So often memory is looked at: the system keeps the highest that it was, so no peak is missed.
RUNS_BETWEEN = 200


class Formatter(logging.Handler):
    """Writes every line of the log to nowhere, so that writing one is fuzzed as well."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def highest_mib() -> float:
    """The most memory that this process ever had; what its parent had does not count, as it would in rusage."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def watched(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return the target, which fails as soon as it has taken too much memory."""
    baseline, runs = highest_mib(), 0

    def fuzz(data: bytes) -> None:
        nonlocal runs
        target(data)
        runs += 1
        if runs % RUNS_BETWEEN == 0 and (growth := highest_mib() - baseline) > MOST_GROWTH_MIB:
            raise MemoryError(f"{growth:.0f} MiB more than after the import, in {runs} runs")

    return fuzz


def prepare(module: ModuleType, folder: Path) -> list[str]:
    """Lay down where the fuzzer begins, and return libFuzzer's options."""
    corpus, dictionary = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(module.SEEDS):
        (corpus / f"seed-{number}").write_bytes(data)
    dictionary.write_text("".join(f'"{spelt(word)}"\n' for word in module.WORDS))
    # libFuzzer's own limit of memory counts what the parent process had; ours does not.
    limits = ["-rss_limit_mb=0", "-timeout=5", "-max_len=4096"]
    return [str(corpus), f"-dict={dictionary}", f"-artifact_prefix={folder}/", *limits]


def spelt(word: str) -> str:
    """Write a word as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def main() -> None:
    """Fuzz the target that the command line names, until libFuzzer has enough."""
    program, name, folder, *options = sys.argv
    logging.basicConfig(handlers=[Formatter()], level=logging.DEBUG)
    with atheris.instrument_imports(include=["airflow_provider_aegis", "email", "urllib.parse"]):
        module = importlib.import_module(f"tests.fuzz.{name}")
    for data in module.SEEDS:  # what is imported or cached at first use is no growth
        module.fuzz(data)
    atheris.Setup([program, *prepare(module, Path(folder)), *options], watched(module.fuzz))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
