"""The vendor's library ``alibabacloud-credentials``, as it is.

It runs in processes of its own, as it reads the environment when it is imported.

As a program: every line of the input is an environment, the name of a provider and its arguments, as JSON; every line
of the output the credentials that it hands out, or the error.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CHAIN = "DefaultCredentialsProvider"


@dataclass
class Peer:
    """The process that forks one for each question."""

    process: subprocess.Popen[str]

    def ask(self, env: Mapping[str, str], provider: str = CHAIN, **arguments: Any) -> dict[str, Any]:
        """Return the credentials that a provider hands out in an environment, or the error."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([dict(env), provider, arguments]), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def peer(bundle: Path) -> Iterator[Peer]:
    """Start the program.

    :param bundle: the certificate authorities that it trusts. The library takes those of certifi and no others.
    """
    (bundle.parent / "certifi.py").write_text(f"def where():\n    return {str(bundle)!r}\n")
    command = [sys.executable, "-W", "ignore", "-m", __name__]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it logs every error, and there are some
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(bundle.parent), *sys.path))},
    )
    with process:
        yield Peer(process)
        assert process.stdin
        process.stdin.close()


def _main() -> None:
    for name in ("Tea.core", "aiofiles", "apscheduler.schedulers.background"):
        importlib.import_module(name)  # it takes long, and reads nothing of the environment
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        try:
            _answer(line, answers)
        finally:
            os._exit(0)


def _answer(line: str, answers: IO[str]) -> None:
    env, name, arguments = json.loads(line)
    os.environ.clear()
    os.environ.update(env)
    found: dict[str, Any]
    try:
        from alibabacloud_credentials import provider

        if base := arguments.pop("credentials_provider", None):
            arguments["credentials_provider"] = provider.StaticAKCredentialsProvider(**base)
        credentials = getattr(provider, name)(**arguments).get_credentials()
        found = {
            "access_key_id": credentials.get_access_key_id(),
            "access_key_secret": credentials.get_access_key_secret(),
            "security_token": credentials.get_security_token(),
        }
    except Exception as error:  # noqa: BLE001  (it raises what it likes)
        found = {"error": str(error)}
    print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    _main()
