"""The names of Airflow that this package uses, from wherever the Airflow that runs keeps them.

The ``common-compat`` provider has such a module from 1.8 on; environments with Airflow 2.11.0 or 3.0 are held to 1.7.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import (
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        ObjectStoragePath,
        PokeReturnValue,
        conf,
    )
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowOptionalProviderFeatureException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferred,
    )
    from airflow.sdk.execution_time.xcom import XCom
    from airflow.sdk.log import mask_secret

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowOptionalProviderFeatureException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "ObjectStoragePath",
    "PokeReturnValue",
    "TaskDeferred",
    "XCom",
    "conf",
    "mask_secret",
]

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")  # the first has all of them from 3.2 on
# The modules of each name, newest first.
_MODULES = {
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),  # 3.1
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "ObjectStoragePath": ("airflow.sdk", "airflow.io.path"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "conf": ("airflow.sdk", "airflow.configuration"),  # 3.2
    "mask_secret": ("airflow.sdk.log", "airflow.utils.log.secrets_masker"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name when it is first wanted, as Airflow itself does: some are slow to import."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for module in _MODULES.get(name, _EXCEPTIONS):
            try:
                found = globals()[name] = getattr(import_module(module), name)
            except (ImportError, AttributeError):
                continue
            return found
        raise ImportError(f"This Airflow has no {name}")
