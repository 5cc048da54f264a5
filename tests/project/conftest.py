"""Imports Airflow where warnings are no errors yet: 2.11 warns of itself."""

from __future__ import annotations

import airflow_provider_aegis.operators.once_task  # noqa: F401
