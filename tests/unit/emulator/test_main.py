from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_aegis.emulator import Control, Emulator
from airflow_provider_aegis.emulator.__main__ import banner, main

VARIABLE = "AIRFLOW_CONN_AEGIS_DEFAULT"


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The command blocks signals for the rest of its process, which is this one where it is called as a function."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "airflow_provider_aegis.emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def connection_in(text: str) -> dict[str, object]:
    found = re.search(rf"^export {VARIABLE}=(.*)$", text, re.MULTILINE)
    assert found
    connection: dict[str, object] = json.loads(shlex.split(found[1])[0])
    return connection


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal_ends_it(ending: signal.Signals) -> None:
    arguments = ["--port", "0", "--seconds", "7", "--outcome", "FAIL", "--access-key", "id=se=cret"]
    with command(*arguments, "--set", "repeat_check=off", "--set", "running_limit=20") as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or VARIABLE not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()
        connection = connection_in("".join(lines))
        assert (connection["login"], connection["password"]) == ("id", "se=cret")
        state = Control(f"{connection['host']}:{connection['port']}").state
        assert state["keys"] == ["id"]
        settings = state["settings"]
        assert (settings["seconds"], settings["outcome"]) == (7, "FAIL")
        assert (settings["repeat_check"], settings["running_limit"]) == ("off", 20)
        process.send_signal(ending)
        # As a terminal's does that signals a group whose parent passes it on.
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


def test_the_banner_warns_and_can_be_pasted_into_a_shell() -> None:
    with Emulator(keys={"id": "it's a secret", "second": "s"}) as sas:
        text = banner(sas)
        assert "its keys are fake" in text
        assert sas.url in text
        assert "id=it's a secret" in text
        assert "second=s" in text
        script = f"{text.splitlines()[-1]}\nprintenv {VARIABLE}"
        pasted = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={**os.environ})
        assert json.loads(pasted.stdout) == json.loads(sas.connection_json())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "is not loopback"),
        (["--access-key", "nothing"], "is not of the form NAME=VALUE"),
        (["--set", "unheard=1"], "'unheard' is not a setting"),
        (["--set", "running_limit=many"], "the setting running_limit cannot be 'many'"),
        (["--seconds", "long"], "invalid float value"),
        (["--seconds", "nan"], "the setting seconds cannot be nan"),
        (["--set", "clock_skew=Infinity"], "the setting clock_skew cannot be inf"),
        (["--set", "unknown_for=-1"], "the setting unknown_for cannot be -1"),
    ],
)
def test_what_is_wrong_ends_the_command_with_the_reason(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--port", "0", *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_ends_the_command(sas: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--port", str(sas.port)])
    assert "in use" in capsys.readouterr().err
