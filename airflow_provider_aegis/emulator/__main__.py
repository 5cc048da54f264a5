"""The command: ``python -m airflow_provider_aegis.emulator``."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
from collections.abc import Sequence
from typing import Any

from airflow_provider_aegis.emulator.server import FAKE_KEYS, Emulator

PORT = 8765
ENDING = {signal.SIGINT, signal.SIGTERM}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM comes; both stay blocked, so that a second one cannot spoil the end.

    :param arguments: in place of the command line's.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        emulator = Emulator(
            keys=dict(given.access_key or FAKE_KEYS.items()),
            host=given.host,
            port=given.port,
            allow_remote=given.allow_remote,
            **{"seconds": given.seconds, "outcome": given.outcome, **dict(given.set)},
        )
        # Before the emulator's thread begins, so that they are left for this one to wait for.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        with emulator:
            print(banner(emulator), flush=True)
            signal.sigwait(ENDING)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0


def banner(emulator: Emulator) -> str:
    """Say where the emulator is and how to use it."""
    connection = shlex.quote(emulator.connection_json())
    return "\n".join(
        (
            "Security Center emulator. It scans nothing, and its keys are fake: never give it real ones.",
            f"  URL                {emulator.url}",
            *(f"  access key         {name}={key.secret}" for name, key in emulator.keys.items()),
            f"  control            {emulator.url}/_emulator/state",
            "",
            f"export AIRFLOW_CONN_AEGIS_DEFAULT={connection}",
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_aegis.emulator", description="A Security Center on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="0 for a free one (default: %(default)s)")
    parser.add_argument("--allow-remote", action="store_true", help="let --host be another address than loopback")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a task takes (default: %(default)s)")
    parser.add_argument("--outcome", default="SUCCESS", help="status a task ends with (default: %(default)s)")
    parser.add_argument(
        "--access-key", type=_pair, action="append", metavar="ID=SECRET", help="a fake key that is accepted; repeatable"
    )
    parser.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="any other setting; repeatable"
    )
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not (name and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def _setting(text: str) -> tuple[str, Any]:
    name, value = _pair(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    raise SystemExit(main())
