"""`make ui`: Airflow with the example DAGs and the emulator, to look at in a browser until Ctrl-C."""

from __future__ import annotations

import json
import signal
from contextlib import suppress

from airflow_provider_aegis.emulator import Emulator

from .demo import EXAMPLES
from .settings import free_port
from .stack import AirflowStack

_USUAL_PORT = 8080
_SCAN_SECONDS = 30

_WHAT_TO_CLICK = """
Airflow runs at  {url}  (no login is needed; Ctrl-C here stops everything)

  Run a scan      Dags > aegis_scan > Trigger. Open the run, then its task "scan": Logs shows the scan's status, and
                  Storage > XCom its id and, after {seconds} seconds, its result.
  Cancel a scan   Trigger aegis_scan again, and mark its task "scan" failed: the scan is cancelled too.
  Other examples  Dags > aegis_scan_pipeline, aegis_scans_mapped, aegis_scan_timeout or aegis_scan_history. The button
                  with the book (Dag Docs) says what each does.
  The connection  Admin > Connections has aegis_default. Add Connection, with the type "Alibaba Cloud Security Center",
                  shows the form that you fill in for your own account.
"""


def main() -> None:
    """Run until a signal says stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Starting Airflow and an emulator of Security Center; this takes 15 to 45 seconds ...", flush=True)
    with (
        suppress(KeyboardInterrupt),
        Emulator(seconds=_SCAN_SECONDS) as emulator,
        Emulator(seconds=_SCAN_SECONDS, region="ap-southeast-1") as second_account,
        AirflowStack(
            EXAMPLES,
            env={"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"},
            port=free_port(preferred=_USUAL_PORT),
        ) as stack,
    ):
        add_connection(stack, "aegis_default", emulator)
        add_connection(stack, "aegis_second_account", second_account)
        print(_WHAT_TO_CLICK.format(url=stack.url, seconds=_SCAN_SECONDS), flush=True)
        signal.pause()
    print("Stopped.")


def add_connection(stack: AirflowStack, conn_id: str, emulator: Emulator) -> None:
    """Create a connection to an emulator in Airflow's database, where the UI shows it."""
    known = json.loads(emulator.connection_json())
    description = "An emulator of Security Center on this machine"
    body = known | {"connection_id": conn_id, "description": description, "extra": json.dumps(known["extra"])}
    stack.api("POST", "connections", body)


if __name__ == "__main__":
    main()
