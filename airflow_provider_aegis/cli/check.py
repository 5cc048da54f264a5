"""``airflow aegis check``: try a connection from end to end with reads."""

from __future__ import annotations

import os
from argparse import Namespace

from airflow.utils.cli import suppress_logs_and_warning

from airflow_provider_aegis.cli.table import print_rows
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.hooks.probe import State, examine
from airflow_provider_aegis.ram_policy import operations_of


@suppress_logs_and_warning
def check(arguments: Namespace) -> None:
    """Print what a connection can do. The exit status is 1 if anything is wrong.

    :param arguments: ``conn_id``; ``operator``, a list of names or ``None``; ``output``; ``verbose``, to see the log.
    """
    # Airflow's own command that tests a connection does the same: without it Airflow 3 does not read its database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        operations = operations_of(arguments.operator or ())
    except ConfigurationError as error:
        raise SystemExit(str(error)) from None
    with AegisHook(aegis_conn_id=arguments.conn_id) as hook:
        findings = examine(hook, operations)
    print_rows([{"what": one.what, "state": one.state, "details": one.details} for one in findings], arguments.output)
    if wrong := [one.what for one in findings if one.state is State.WRONG]:
        raise SystemExit(f"Connection {arguments.conn_id!r} needs attention: {', '.join(wrong)}.")
