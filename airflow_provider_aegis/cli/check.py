"""``airflow aegis check``: a connection tried from end to end, with reads alone."""

from __future__ import annotations

import os
from argparse import Namespace

from airflow.utils.cli import suppress_logs_and_warning

from airflow_provider_aegis.cli.probe import Finding, State, examine
from airflow_provider_aegis.cli.table import print_table
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.ram_policy import operations_of


@suppress_logs_and_warning
def check(arguments: Namespace) -> None:
    """Print what a connection can do, and end with status 1 if anything is wrong.

    :param arguments: with ``conn_id``, ``operator``, a list of names or ``None``, and ``verbose``, to see the log.
    """
    # As Airflow's own command does that tests a connection: without it, Airflow 3 looks for none in its database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        operations = operations_of(arguments.operator or ())
    except ConfigurationError as error:
        raise SystemExit(str(error)) from None
    findings = examine(arguments.conn_id, operations)
    print_table(("what", "state", "details"), [_row(one) for one in findings])
    if wrong := [one.what for one in findings if one.state is State.WRONG]:
        raise SystemExit(f"Connection {arguments.conn_id!r} needs attention: {', '.join(wrong)}.")


def _row(finding: Finding) -> tuple[str, str, str]:
    return finding.what, finding.state, finding.details
