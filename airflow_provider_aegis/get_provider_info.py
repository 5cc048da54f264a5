"""What Airflow discovers of this provider; imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_provider_aegis import __version__
from airflow_provider_aegis.hooks.connection import CONN_TYPE, HOOK_NAME
from airflow_provider_aegis.hooks.connection_form import conn_fields, ui_field_behaviour

INTEGRATION = "Alibaba Cloud Security Center"
REPOSITORY = "https://github.com/airflow-provider-aegis/airflow-provider-aegis"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the form of Airflow's ``provider_info`` schema."""

    def modules(*names: str) -> list[dict[str, Any]]:
        return [{"integration-name": INTEGRATION, "python-modules": [f"airflow_provider_aegis.{n}" for n in names]}]

    return {
        "package-name": "airflow-provider-aegis",
        "name": INTEGRATION,
        "description": "Starts, watches and reads one-time scan tasks of Alibaba Cloud Security Center.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://www.alibabacloud.com/help/en/security-center/",
                "logo": f"{REPOSITORY}/raw/main/docs/logo.svg",
                "tags": ["service"],
            }
        ],
        "hooks": modules("hooks.aegis"),
        "operators": modules("operators.gate", "operators.once_task"),
        "sensors": modules("sensors.once_task"),
        "transfers": [
            {
                "source-integration-name": INTEGRATION,
                "target-integration-name": INTEGRATION,
                "python-module": "airflow_provider_aegis.transfers.findings_to_object_storage",
            }
        ],
        "triggers": modules("triggers.once_task"),
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": "airflow_provider_aegis.hooks.aegis.AegisHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": ui_field_behaviour(),
                "conn-fields": conn_fields(),
            }
        ],
        "extra-links": [
            "airflow_provider_aegis.links.security_center.SecurityCenterLink",
            "airflow_provider_aegis.links.security_center.RequestDiagnosisLink",
        ],
        # Airflow 3.2 and later; the ones before do not look at it.
        "cli": ["airflow_provider_aegis.cli.get_cli_commands"],
    }
