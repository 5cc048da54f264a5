"""Only Airflow 2 collects these tests."""

from __future__ import annotations

from importlib.metadata import version

collect_ignore = [] if version("apache-airflow").startswith("2.") else ["test_airflow_2.py"]
