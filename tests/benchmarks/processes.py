"""Fresh processes: one for each measurement, and one for the emulator, whose work must not count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, TypeAlias

from tests.benchmarks.scan import Scan, serve

# The SDK would ask a proxy for loopback too, and a fair start has bytecode.
UNWANTED = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "pythondontwritebytecode"}

Steps: TypeAlias = Callable[..., Iterator[Any]]
Figures: TypeAlias = dict[str, float]


class Probe:
    """A generator in a process of its own; :meth:`step` has it take one step there.

    :param steps: the function of a module that makes the generator.
    :param arguments: of that function: what JSON can hold, and scans.
    """

    def __init__(self, steps: Steps, **arguments: Any) -> None:
        self._name = f"{steps.__module__}:{steps.__qualname__}"
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in __exit__)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.child", self._name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={name: value for name, value in os.environ.items() if name.lower() not in UNWANTED},
            text=True,
        )
        self._tell({name: asdict(one) if isinstance(one, Scan) else one for name, one in arguments.items()})

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._stderr.close()

    def step(self) -> Any:
        """Take a step and return what it yields.

        :raises RuntimeError: if the process has ended instead.
        """
        self._tell(None)
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return json.loads(line)
        self._process.wait()
        self._stderr.seek(0)
        raise RuntimeError(f"{self._name} ended:\n{self._stderr.read()}")

    def _tell(self, what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()


def once(steps: Steps, **arguments: Any) -> Any:
    """Take the first step in a fresh process."""
    with Probe(steps, **arguments) as probe:
        return probe.step()


def medians(runs: Sequence[Figures]) -> Figures:
    """Return the median of every figure."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


@contextmanager
def emulator(*, tls: bool = False) -> Iterator[Scan]:
    """Serve a scan that runs for an hour, from another process.

    :param tls: over TLS, with a certificate that is made here and now.
    """
    from tests.unit.client.transport.loopback import make_certificate

    with tempfile.TemporaryDirectory() as folder:
        certificate = str(make_certificate(Path(folder))) if tls else None
        with Probe(serve, certificate=certificate) as server:
            yield Scan(**server.step())
