"""Describe the commands ``airflow aegis …`` to Airflow.

Airflow imports this module for each of its commands, so this module imports only what Airflow has imported before.
"""

from __future__ import annotations

from airflow.cli.cli_config import ARG_OUTPUT, ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

OPERATOR = Arg(  # type: ignore[no-untyped-call]
    ("--operator",),
    action="append",
    metavar="CLASS",
    help="a class of this provider, as AegisOnceTaskOperator; can be repeated (default: all classes)",
)
CONN_ID = Arg(  # type: ignore[no-untyped-call]
    ("--conn-id",), default="aegis_default", metavar="ID", help="the connection (default: %(default)s)"
)

CANCEL = Arg(("--cancel",), action="store_true", help="cancel the scans")  # type: ignore[no-untyped-call]


def get_cli_commands() -> list[GroupCommand]:
    """Return the provider's commands. Each imports its code when it runs."""
    return [
        GroupCommand(
            name="aegis",
            help="Alibaba Cloud Security Center: permissions, connections and scans",
            subcommands=(
                ActionCommand(
                    name="policy",
                    help="Print the RAM policy that some operators need",
                    func=lazy_load_command("airflow_provider_aegis.cli.policy.policy"),
                    args=(OPERATOR,),
                ),
                ActionCommand(
                    name="check",
                    help="Try a connection: credentials, endpoint, clock and permissions; nothing is changed",
                    description="Try a connection: credentials, endpoint, clock, and each permission with a harmless "
                    "read. Writes are never tried. The exit status is 1 if anything is wrong.",
                    func=lazy_load_command("airflow_provider_aegis.cli.check.check"),
                    args=(CONN_ID, OPERATOR, ARG_OUTPUT, ARG_VERBOSE),
                ),
                ActionCommand(
                    name="sweep",
                    help="List scans that still run although their task has ended (Airflow 3.3 and later)",
                    description="List the scans that this provider's operators started with a connection and that "
                    "still run although their task instance has ended: no later try will pick them up.",
                    func=lazy_load_command("airflow_provider_aegis.cli.sweep.sweep"),
                    args=(CONN_ID, CANCEL, ARG_OUTPUT, ARG_VERBOSE),
                ),
            ),
        )
    ]
