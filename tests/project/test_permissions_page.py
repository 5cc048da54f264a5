"""docs/permissions.md says what the table of permissions says. Run as a module, this writes it."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_aegis.ram_policy import USES, Use, ram_policy

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
BEGINNING = """\
# Permissions

<!-- written by `python -m tests.project.test_permissions_page` from airflow_provider_aegis/ram_policy.py -->

What each class of this provider calls, and the smallest RAM policy that allows it. A test runs each class with its
policy and everything else denied. A policy for several classes at once, for all if none is named:

```
airflow aegis policy --operator AegisOnceTaskOperator --operator AegisOnceTaskSensor    # Airflow 3.2 and later
python -m airflow_provider_aegis policy --operator AegisOnceTaskOperator                # any Airflow
```

This command tries what a connection may do. It makes reads only, so that nothing is started or cancelled:

```
airflow aegis check --conn-id aegis_default    # or: python -m airflow_provider_aegis check --conn-id aegis_default
```

The service's documentation names the prefix `yundun-aegis`, newer examples of the vendor `yundun-sas`; each policy
allows both. In deferrable mode the triggerer calls with the same connection, so that an operator's or a sensor's policy
covers its triggers. `AegisHook` needs what its caller calls: for `hook.call("DescribeVulList")` that is
`yundun-aegis:DescribeVulList` and `yundun-sas:DescribeVulList`.
"""


def page() -> str:
    """The whole page."""
    return BEGINNING + "".join(_section(name, uses) for name, uses in USES.items())


def _section(name: str, uses: tuple[Use, ...]) -> str:
    rows = "\n".join(f"| `{use.action}` | {use.purpose} | {use.without or 'it fails'} |" for use in uses)
    return f"""
## {TITLES.get(name, name)}

| operation | what for | without it |
|---|---|---|
{rows}

```json
{json.dumps(ram_policy(name), indent=2)}
```
"""


TITLES = {"read_findings": "Reading findings", "test_connection": "The connection test"}


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.project.test_permissions_page"


if __name__ == "__main__":
    PAGE.write_text(page())
