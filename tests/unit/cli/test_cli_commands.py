"""The commands: what Airflow learns of them and what that costs, and both ways to run them."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_aegis.__main__ import main
from airflow_provider_aegis.cli import get_cli_commands
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.get_provider_info import get_provider_info
from airflow_provider_aegis.ram_policy import USES, ram_policy

COST = """
import json, sys
import airflow.cli.cli_config
before = set(sys.modules)
from airflow_provider_aegis.cli import get_cli_commands
get_cli_commands()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_describing_the_commands_imports_nothing() -> None:
    output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", COST], text=True)
    assert set(json.loads(output.splitlines()[-1])) <= {"airflow_provider_aegis", "airflow_provider_aegis.cli"}


def test_airflow_finds_the_commands_where_the_provider_says() -> None:
    (path,) = get_provider_info()["cli"]
    module, _, name = path.rpartition(".")
    assert getattr(import_module(module), name) is get_cli_commands


def airflow_parser() -> ArgumentParser:
    """The parser of the command ``airflow``, on an Airflow that asks providers for commands."""
    cli_parser: Any = import_module("airflow.cli.cli_parser")
    if "aegis" not in cli_parser.ALL_COMMANDS_DICT:
        pytest.skip("this Airflow asks no provider for commands")
    parser: ArgumentParser = cli_parser.get_parser()
    return parser


def test_airflow_runs_them(capsys: pytest.CaptureFixture[str]) -> None:
    given = airflow_parser().parse_args(["aegis", "policy", "--operator", "AegisOnceTaskSensor"])
    given.func(given)
    assert json.loads(capsys.readouterr().out) == ram_policy("AegisOnceTaskSensor")


def test_airflow_runs_the_check(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    given = airflow_parser().parse_args(["aegis", "check"])
    given.func(given)
    assert "AccessKey ID emulator-key is accepted" in capsys.readouterr().out


def test_the_policy_of_several_operators(capsys: pytest.CaptureFixture[str]) -> None:
    main(["policy", "--operator", "AegisOnceTaskOperator", "--operator", "AegisOnceTaskSensor"])
    assert json.loads(capsys.readouterr().out) == ram_policy("AegisOnceTaskOperator", "AegisOnceTaskSensor")


def test_the_policy_of_all_where_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["policy"])
    assert json.loads(capsys.readouterr().out) == ram_policy(*USES)


@pytest.mark.parametrize("command", ["policy", "check"])
def test_an_unknown_operator_is_named_with_those_that_exist(command: str) -> None:
    with pytest.raises(SystemExit, match=r"no Scanner here.*AegisOnceTaskOperator"):
        main([command, "--operator", "Scanner"])


def test_it_runs_as_a_module() -> None:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "airflow_provider_aegis",
        "policy",
        "--operator",
        "test_connection",
    ]
    assert json.loads(subprocess.check_output(command, text=True)) == ram_policy("test_connection")
