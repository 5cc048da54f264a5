"""The commands ``airflow aegis …``, as Airflow wants them described.

Airflow imports this module for every one of its commands, so it imports nothing that Airflow has not imported before.
"""

from __future__ import annotations

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

OPERATOR = Arg(  # type: ignore[no-untyped-call]
    ("--operator",),
    action="append",
    metavar="CLASS",
    help="a class of this provider, as AegisOnceTaskOperator; repeatable; all of them where none is given",
)
CONN_ID = Arg(  # type: ignore[no-untyped-call]
    ("--conn-id",), default="aegis_default", metavar="ID", help="the connection (default: %(default)s)"
)

CANCEL = Arg(("--cancel",), action="store_true", help="cancel these scans")  # type: ignore[no-untyped-call]


def get_cli_commands() -> list[GroupCommand]:
    """Return the provider's commands; what they do is imported when one of them runs."""
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
                    help="Try a connection: keys, endpoint, clock and permissions; nothing is changed",
                    description="Try a connection: keys, endpoint, clock, and each permission with a harmless read. "
                    "Writes are never tried. The exit status is 1 if anything is wrong.",
                    func=lazy_load_command("airflow_provider_aegis.cli.check.check"),
                    args=(CONN_ID, OPERATOR, ARG_VERBOSE),
                ),
                ActionCommand(
                    name="sweep",
                    help="List scans that still run though their task was ended (Airflow 3.3 and later)",
                    description="List the scans that this provider's operators started with a connection, that still "
                    "run, and whose task instance was ended, so that no try picks them up any more.",
                    func=lazy_load_command("airflow_provider_aegis.cli.sweep.sweep"),
                    args=(CONN_ID, CANCEL, ARG_VERBOSE),
                ),
            ),
        )
    ]
