"""Each minor version of Airflow with the packages of its day: what is installed, and what runs on it.

Airflow publishes a constraints file with each release, by which people install it. ``tests/requirements`` has such a
file for each version: what the index had a week after the release, and for the packages in ``PINS`` the version that
Airflow's own file names. Packages of today do not do: with them Airflow 3.0 and 3.2 run no task.

``python -m tests.matrix`` (``make matrix``) installs each into ``.venv-matrix``, runs the unit tests and the examples,
and writes the table of ``docs/compatibility-matrix.md``; with ``3.1.8`` after it, for that version alone.
``python -m tests.matrix constraints`` writes the constraints anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "tests" / "requirements"
PAGE = ROOT / "docs" / "compatibility-matrix.md"
ENVIRONMENTS = ROOT / ".venv-matrix"
UV = Path(sys.executable).with_name("uv")
PYTHON = "3.11"  # the one that all of them run on
SHOWN = ("aiohttp", "requests", "urllib3", "yarl", "certifi", "pendulum", "pydantic", "sqlalchemy")
# Plugins of other packages' days do not always know today's pytest, nor does OpenTelemetry with 3.2 know Python 3.11.
PYTEST = ("-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:anyio", "-W", "ignore:SelectableGroups")


@dataclass(frozen=True)
class Day:
    """A release of Airflow.

    :param pins: what Airflow's own constraints file names where a later version was out within the week or an earlier
        one was the newest.
    """

    released: date
    pins: dict[str, str]


COMPAT = "apache-airflow-providers-common-compat"
DAYS = {
    "2.11.0": Day(date(2025, 5, 20), {"aiohttp": "3.12.4", COMPAT: "1.7.0"}),
    "3.0.6": Day(date(2025, 8, 29), {"aiohttp": "3.12.15", COMPAT: "1.7.3"}),
    "3.1.8": Day(date(2026, 3, 11), {"aiohttp": "3.13.3", COMPAT: "1.14.0"}),
    "3.2.2": Day(date(2026, 5, 29), {"aiohttp": "3.14.1", COMPAT: "1.15.0"}),
    "3.3.2": Day(date(2026, 9, 17), {"aiohttp": "3.14.3", COMPAT: "1.19.0"}),
}


def constraints(version: str) -> Path:
    """Return the file with what an environment of a version of Airflow is held to."""
    return REQUIREMENTS / f"constraints-{version}.txt"


def constrained(version: str) -> dict[str, str]:
    """Return the version of each package."""
    lines = [line for line in constraints(version).read_text().splitlines() if line and not line.startswith("#")]
    return {one.name: str(one.specifier).removeprefix("==") for one in map(Requirement, lines)}


def resolve(version: str) -> str:
    """Return what the index had for a version of Airflow a week after its release."""
    day = DAYS[version]
    wanted = [f"apache-airflow=={version}", *(f"{name}=={pin}" for name, pin in day.pins.items()), *SHOWN[:-2]]
    week = day.released + timedelta(days=7)
    later = day.released + timedelta(days=14)  # the constraints are sometimes renewed
    command = [str(UV), "pip", "compile", "-q", "--no-header", "--no-annotate", "--python-version", PYTHON, "-"]
    command += [f"--exclude-newer={week}", *(f"--exclude-newer-package={name}={later}" for name in day.pins)]
    wanted_text = "\n".join(dict.fromkeys(wanted))
    found = subprocess.run(command, input=wanted_text, text=True, capture_output=True, check=True, cwd=ROOT)
    return f"# Airflow {version} with the packages of {week} (python -m tests.matrix constraints)\n{found.stdout}"


def install(version: str) -> Path:
    """Set up the environment of a version, and return its Python."""
    python = ENVIRONMENTS / version / "bin" / "python"
    held = str(constraints(version))
    pip = (str(UV), "pip", "install", "-q", "--python", str(python))
    commands: list[tuple[str, ...]] = [
        (str(UV), "venv", "-q", "--clear", "--python", PYTHON, str(python.parents[1])),
        # As a user does it: the package and Airflow, held to the constraints.
        (*pip, "-r", held, "-c", held, "--group", "test"),
        (*pip, "--no-build-isolation", "-c", held, f"apache-airflow=={version}", "-e", "."),
    ]
    for command in commands:
        subprocess.run(command, check=True, cwd=ROOT)
    return python


def run(version: str, python: Path, *paths: str) -> tuple[bool, str]:
    """Run tests on a version; return whether all passed, and pytest's last line."""
    with tempfile.TemporaryDirectory() as home:
        command = [str(python), "-m", "pytest", *PYTEST, *paths]
        environment = os.environ | {"AIRFLOW_HOME": home}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        last = ""
        for line in process.stdout:
            sys.stdout.write(line)
            last = line if re.match(r"\d+ (passed|failed|error)", line) else last
    counts = last.strip().partition(" in ")[0]
    return process.wait() == 0, re.sub(r", \d+ (deselected|warnings?)", "", counts) or "did not run"


def row(version: str) -> str:
    """Install and run a version; return its row of the page."""
    print(f"Airflow {version}, with the packages of its day:", flush=True)
    python = install(version)
    cells = [version, f"{DAYS[version].released}"]
    for paths in (("tests/unit",), ("tests/dag_level",)):
        passed, counts = run(version, python, *paths)
        cells.append(counts if passed else f"**{counts}**")
    held = constrained(version)
    cells += [held.get(name, "") for name in (COMPAT, *SHOWN)]
    return f"| {' | '.join(cells)} |"


COLUMNS = ("Airflow", "released", "unit tests", "examples", "`common-compat`", *(f"`{name}`" for name in SHOWN))
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \|.*$", re.MULTILINE)
TABLE = re.compile(r"(?<=<!-- table: begin \(make matrix\) -->\n).*(?=<!-- table: end -->)", re.DOTALL)


def write(rows: dict[str, str]) -> None:
    """Put rows into the page's table; those of other versions stay."""
    page = PAGE.read_text()
    known = {found[1]: found[0] for found in ROW.finditer(page)} | rows
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *(known[one] for one in DAYS if one in known)]
    PAGE.write_text(TABLE.sub(lambda _: "\n".join(["", *lines, "", ""]), page))


def main(arguments: list[str]) -> int:
    """Write the constraints anew, or run the versions that are named, or all of them."""
    if arguments == ["constraints"]:
        for version in DAYS:
            constraints(version).write_text(resolve(version))
        return 0
    rows: dict[str, str] = {}
    for version in arguments or DAYS:
        rows[version] = row(version)
        write(rows)
    print("\n".join(rows.values()))
    return int(any("**" in line for line in rows.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
