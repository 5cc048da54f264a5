"""`make ui`: Airflow with the example DAGs and the emulator, to look at in a browser until Ctrl-C."""

from __future__ import annotations

import signal
from contextlib import suppress

from airflow_provider_aegis.emulator import Emulator

from .demo import EXAMPLES
from .settings import CONNECTION, free_port
from .stack import AirflowStack

_USUAL_PORT = 8080
_SCAN_SECONDS = 30


def main() -> None:
    """Run until a signal says stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Starting Airflow and an emulator of Security Center ...", flush=True)
    with (
        suppress(KeyboardInterrupt),
        Emulator(seconds=_SCAN_SECONDS) as emulator,
        AirflowStack(
            EXAMPLES, env={CONNECTION: emulator.connection_json()}, port=free_port(preferred=_USUAL_PORT)
        ) as stack,
    ):
        print(f"\n  {stack.url}\n\nNo login is needed: everybody is an admin. Ctrl-C stops everything.", flush=True)
        signal.pause()
    print("Stopped.")


if __name__ == "__main__":
    main()
