"""The Postgres that tests run Airflow on: it holds data, takes nobody without its password, and is gone afterwards."""

from __future__ import annotations

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from .postgres import Postgres


def test_it_serves_and_leaves_nothing() -> None:
    with Postgres() as database:
        url = database.url("postgresql+psycopg2")
        engine, stranger = (create_engine(address) for address in (url, url.replace("airflow:", "airflow:not-")))
        with engine.begin() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        with pytest.raises(OperationalError, match="password authentication failed"):
            stranger.connect()
        engine.dispose()
        folder = str(database.folder)
    assert not database.folder.exists()
    assert not [one for one in psutil.process_iter(["cmdline"]) if folder in " ".join(one.info["cmdline"] or ())]
