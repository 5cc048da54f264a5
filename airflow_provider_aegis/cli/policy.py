"""``airflow aegis policy``: print the RAM policy to copy."""

from __future__ import annotations

import json
from argparse import Namespace

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.ram_policy import ram_policy


def policy(arguments: Namespace) -> None:
    """Print the least policy of some operators.

    :param arguments: ``operator``, a list of names or ``None`` for all.
    """
    try:
        document = ram_policy(*arguments.operator or ())
    except ConfigurationError as error:
        raise SystemExit(str(error)) from None
    print(json.dumps(document, indent=2))
