"""The commands of ``airflow aegis``, for an Airflow whose providers cannot bring any (below 3.2).

``python -m airflow_provider_aegis policy|check …``
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from airflow_provider_aegis.cli import get_cli_commands


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the commands; it ends with SystemExit if something is wrong.

    :param arguments: in place of the command line's.
    """
    (group,) = get_cli_commands()
    parser = ArgumentParser(prog="python -m airflow_provider_aegis", description=group.help)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in group.subcommands:
        one = commands.add_parser(command.name, help=command.help, description=command.description or command.help)
        one.set_defaults(func=command.func)
        for argument in command.args:
            argument.add_to_parser(one)
    given = parser.parse_args(arguments)
    given.func(given)


if __name__ == "__main__":
    main()
