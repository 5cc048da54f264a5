"""Everything that a running Airflow has written down, as text, and where of it a secret is found."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken

Haystack = dict[str, str]

# What changes or vanishes while a task goes on: triggers, the event that resumes a task, what a try remembers.
FLEETING = {
    "trigger": "kwargs",
    "task_instance": "next_kwargs",
    "task_state_store": "value",
    "xcom": "value",
    "rendered_task_instance_fields": "rendered_fields",
}
# Of a secret as long as this each half is searched for, as a line may have been cut.
LONG = 24


def forms(secret: str) -> set[str]:
    """The ways in which a secret may have been written."""
    half = len(secret) // 2
    return {
        *((secret[:half], secret[half:]) if len(secret) >= LONG else (secret,)),
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        *_inside_base64(secret.encode()),
    }


def _inside_base64(secret: bytes) -> Iterator[str]:
    """The characters that a secret surely becomes in a longer text's base64, wherever in that text it begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode()
        sure = encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield from (sure, sure.replace("+", "-").replace("/", "_"))


def found(secrets: Iterable[str], haystack: Haystack) -> dict[str, str]:
    """Return the places in which there is a secret, each with a line that has one."""
    needles = [form for secret in secrets for form in forms(secret)]
    places: dict[str, str] = {}
    for place, text in haystack.items():
        if present := next((form for form in needles if form in text), None):
            at = text.index(present)
            places[place] = text[max(0, at - 300) : at + len(present) + 100]
    return places


def files(folder: Path) -> Haystack:
    """Everything below a folder but the database."""
    return {
        f"file {path.relative_to(folder)}": path.read_text("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("airflow.db") and path.suffix != ".pyc"
    }


def keep_fleeting(path: Path) -> None:
    """Have the database keep every fleeting value that is written from now on."""
    with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
        for table, column in FLEETING.items():
            connection.execute(f'CREATE TABLE "every {table}" ({column})')
            for event in ("INSERT", f"UPDATE OF {column}"):
                connection.execute(
                    f'CREATE TRIGGER "{event} {table}" AFTER {event} ON "{table}" WHEN NEW.{column} IS NOT NULL '
                    f'BEGIN INSERT INTO "every {table}" VALUES (NEW.{column}); END'
                )


def database(path: Path, fernet_key: str) -> Haystack:
    """Every column of every table, decrypted and unpacked where that can be done; ``connection`` only as it is."""
    fernet = Fernet(fernet_key)
    dump: Haystack = {}
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in names:
            rows = connection.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in rows.description]
            for row in rows.fetchall():
                for column, value in zip(columns, row, strict=True):
                    plain = _written(value) if table == "connection" else _plain(value, fernet)
                    place = f"table {table}.{column}"
                    dump[place] = f"{dump.get(place, '')}\n{plain}"
    return dump


def connections(path: Path, fernet_key: str) -> str:
    """What is in the connections once they are decrypted."""
    fernet = Fernet(fernet_key)
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        rows = connection.execute("SELECT password, extra FROM connection").fetchall()
    return "\n".join(_plain(value, fernet) for row in rows for value in row)


def _plain(value: Any, fernet: Fernet) -> str:
    return "\n".join(_readings(value, fernet))


def _readings(value: Any, fernet: Fernet) -> Iterator[str]:
    yield _written(value)
    raw = value.encode() if isinstance(value, str) else value
    if not isinstance(raw, bytes):
        return
    with suppress(zlib.error):
        yield from _readings(zlib.decompress(raw), fernet)
    with suppress(InvalidToken):
        yield from _readings(fernet.decrypt(raw), fernet)


def _written(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
