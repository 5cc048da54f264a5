"""A Security Center on loopback, for demos and tests; nothing in it leads to the real service."""

from __future__ import annotations

from airflow_provider_aegis.emulator.authentication import Key
from airflow_provider_aegis.emulator.clock import ManualClock
from airflow_provider_aegis.emulator.control import Control
from airflow_provider_aegis.emulator.faults import Fault
from airflow_provider_aegis.emulator.server import Emulator
from airflow_provider_aegis.emulator.settings import Settings

__all__ = ["Control", "Emulator", "Fault", "Key", "ManualClock", "Settings"]
