"""The command ``check``: what it prints, in each form, and how it exits."""

from __future__ import annotations

import json

import pytest

from airflow_provider_aegis.__main__ import main
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.ram_policy import operations_of


def test_the_command_prints_a_table(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--conn-id", "aegis_default", "--output", "plain"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["what", "connection", "endpoint", "clock", "credentials"]
    assert len(lines) == 5 + len(operations_of())


def test_a_program_can_read_it(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--output", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"what": "connection", "state": "ok", "details": "aegis_default: every field can be read"}
    assert len(rows) == 4 + len(operations_of())


def test_the_command_fails_if_anything_is_wrong(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    sas.set(denied=["DescribeOnceTask"])
    with pytest.raises(SystemExit, match="'aegis_default' needs attention: permission DescribeOnceTask") as ended:
        main(["check"])
    assert ended.value.code not in (0, None)
    assert "WRONG" in capsys.readouterr().out


def test_only_the_permissions_of_the_named_operators_count(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    sas.set(denied=["DescribeOnceTask", "GetLastOnceTaskInfo"])
    main(["check", "--operator", "AegisOnceTaskSensor"])
    assert "DescribeOnceTask" not in capsys.readouterr().out


def test_no_secret_is_printed(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    sas.set(denied=["*"])
    with pytest.raises(SystemExit):
        main(["check"])
    printed = capsys.readouterr()
    assert sas.access_key_secret not in printed.out + printed.err
