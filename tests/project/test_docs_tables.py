"""Tables of the docs name what the code has: errors, status words, faults, settings, arguments, commands."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis import exceptions
from airflow_provider_aegis.cli import get_cli_commands
from airflow_provider_aegis.client import errors
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.emulator import Fault
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.gate import AegisFindingsGateOperator
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator, AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from airflow_provider_aegis.transfers.findings_to_object_storage import AegisFindingsToObjectStorageOperator

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of every table row."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def classes_of(module: Any, *bases: type) -> set[str]:
    return {
        name
        for name, one in vars(module).items()
        if inspect.isclass(one) and issubclass(one, bases) and one.__module__ == module.__name__
    }


def test_every_error_says_what_to_do() -> None:
    explained = {cells[0].strip("`"): cells[2] for cells in rows(page("errors.md")) if len(cells) == 3}
    known = classes_of(errors, Exception) | classes_of(exceptions, Exception)
    named_otherwise = {"SecurityCenterError", "OnceTaskError", "NonceUsedError", "DeadlineExceededError"}
    for name in known - named_otherwise:
        assert explained[name], name
    for name in named_otherwise:
        assert f"`{name}`" in page("errors.md")
    assert set(explained) - known == {"class"}


def test_every_status_word_has_an_outcome() -> None:
    named = re.findall(r"`([A-Z_]+)`", "".join(cells[0] for cells in rows(page("outcomes.md"))))
    assert {word.translate(once_task.SEPARATORS) for word in named} == set(once_task.STATUS_WORDS)


def test_the_emulators_faults_are_listed() -> None:
    listed = set(re.findall(r"^\| `Fault\.(\w+)\(", page("emulator.md"), re.MULTILINE))
    makers = {name for name, one in vars(Fault).items() if isinstance(one, classmethod)} - {"from_json"}
    assert listed == makers


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("once_task_operator.md", AegisOnceTaskOperator),
        ("once_task_sensor.md", AegisOnceTaskSensor),
        ("once_task_result_operator.md", AegisGetOnceTaskResultOperator),
        ("export_findings.md", AegisFindingsToObjectStorageOperator),
        ("gate_findings.md", AegisFindingsGateOperator),
    ],
)
def test_every_argument_is_explained_and_templated_ones_are_named(name: str, cls: Any) -> None:
    explained = {cells[0].strip("`"): cells[2] for cells in rows(page(name)) if len(cells) == 3}
    signature = inspect.signature(inspect.unwrap(cls.__init__))
    arguments = {each for each, one in signature.parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
    assert arguments <= set(explained)
    for argument in arguments:
        assert ("(templated)" in explained[argument]) == (argument in cls.template_fields), argument


def test_every_method_of_the_hook_is_listed() -> None:
    listed = {name for cells in rows(page("hook.md"))[1:] for name in re.findall(r"`(\w+)", cells[0])}
    generic = {"run_flow", "close", "sibling", "config", "aget_config"}
    ours = [cls for cls in AegisHook.__mro__ if cls.__module__.startswith("airflow_provider_aegis")]
    public = {name for cls in ours for name, one in vars(cls).items() if inspect.isfunction(one) and name[0] != "_"}
    assert listed == public - generic


def test_every_command_has_a_section() -> None:
    (group,) = get_cli_commands()
    assert re.findall(r"^## airflow aegis (\w+)$", page("command_line.md"), re.MULTILINE) == [
        command.name for command in group.subcommands
    ]


def test_every_example_is_listed() -> None:
    listed = [cells[0].strip("`") for cells in rows(page("examples.md"))[1:]]
    assert sorted(listed) == sorted(path.stem for path in (DOCS.parent / "example_dags").glob("*.py"))


def test_every_file_that_contributing_names_is_there() -> None:
    text = (DOCS.parent / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-zA-Z_]+\.(?:py|md|toml)|(?:[a-z_]+/)+)`", text))
    assert len(named) > 10
    for name in named:
        assert (DOCS.parent / name).exists() or (DOCS.parent / "airflow_provider_aegis" / name).exists(), name


def test_every_documented_type_of_scan_is_explained() -> None:
    listed = [cells[0].strip("`") for cells in rows(page("scan_types.md"))[1:]]
    assert sorted(listed) == sorted(once_task.KNOWN_TYPES)
