"""The README's tables say what the code does. Run as a module, this writes the table of connection fields."""

from __future__ import annotations

import json
import re
from pathlib import Path

from airflow_provider_aegis.client import errors
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.client.protocol.operations import OPERATIONS
from airflow_provider_aegis.hooks.connection import FIELDS, Field

README = Path(__file__).parents[2] / "README.md"
FIELDS_PLACE = re.compile(r"(<!-- fields: [^\n]*-->\n)(.*?)(<!-- /fields -->)", re.DOTALL)


def fields_table() -> str:
    """The connection's fields as a table."""
    rows = [f"| {_place(one)} | {one.label} | {one.description}{_default(one)} |" for one in FIELDS]
    return "\n".join(["", "| field | in the form | |", "|---|---|---|", *rows, "", ""])


def _place(one: Field) -> str:
    return f"`{one.name}`" if one.standard else f"extra `{one.name}`"


def _default(one: Field) -> str:
    return "" if one.default is None else f" Default: {one.default:g}."


def test_the_fields_are_those_of_the_connection() -> None:
    found = FIELDS_PLACE.search(README.read_text())
    assert found
    assert found[2] == fields_table(), "run: python -m tests.project.test_readme"


def test_every_documented_status_is_explained() -> None:
    text = README.read_text()
    for word in ("SUCCESS", "TIMEOUT", "TIMOUT", "FAIL", "FAILED", "INIT", "START", "DISPATCH", "PROCESSING"):
        assert f"`{word}`" in text
        assert once_task.classify(word) is not once_task.Phase.UNHEARD


def test_the_policy_is_json_and_covers_what_is_called() -> None:
    block = re.search(r"```json\n(.*?)```", README.read_text(), re.DOTALL)
    assert block
    granted = set(json.loads(block[1])["Statement"][0]["Action"])
    called = set(OPERATIONS) - {"CreateVirusScanOnceTask", "DescribeOnceTaskLeafRecordPage"}
    assert granted == {action for name in called for action in OPERATIONS[name].ram_actions}


def test_every_error_that_a_user_can_meet_is_explained() -> None:
    text = README.read_text()
    inner = {"SecurityCenterError", "NonceUsedError", "DeadlineExceededError"}
    for name in set(errors._classes()) - inner:
        assert f"`{name}`" in text, name


if __name__ == "__main__":
    README.write_text(FIELDS_PLACE.sub(lambda found: found[1] + fields_table() + found[3], README.read_text()))
