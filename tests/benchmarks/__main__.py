"""The command: ``python -m tests.benchmarks``, with the names of sections to run only those."""

from __future__ import annotations

import argparse
import os
import platform
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from tests.benchmarks import fleet, imports, keys, logs, memory, pace, readers, reads, stall, waits

SECTIONS: dict[str, Callable[[], str]] = {
    "import": imports.report,
    "sync-read": reads.sync_report,
    "memory": memory.report,
    "async-read": reads.async_report,
    "stall": stall.report,
    "keys": keys.report,
    "waits": waits.report,
    "fleet": fleet.report,
    "readers": readers.report,
    "logs": logs.report,
    "pace": lambda: f"Requests of a wait, and how late it sees the end; a simulation\n{pace.report()}",
}
PACKAGES = ("apache-airflow", "requests", "aiohttp", "alibabacloud-sas20181203", "apache-airflow-providers-alibaba")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run sections, in their order.

    :param arguments: in place of the command line's.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all if none is named"
    )
    asked = parser.parse_args(arguments).sections
    if unknown := set(asked) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("AIRFLOW_HOME", home)
        for name, report in SECTIONS.items():
            if name in asked or not asked:
                print(f"[{name}] {report()}\n", flush=True)
    print("Over TLS both trust the benchmark's own authority: ours by ca_bundle, the SDK by RuntimeOptions(ca=...).")
    print(facts(), f"{time.monotonic() - began:.0f} s in all.", sep="\n")
    return 0


def facts() -> str:
    """Say what the figures were taken on, and with."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{machine}, {ssl.OPENSSL_VERSION}; {versions}."


if __name__ == "__main__":
    sys.exit(main())
