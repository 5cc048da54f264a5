"""The connection's fields as one table: the form in Airflow's UI, the parser and the documentation read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aegis.client.credentials.sts import DEFAULT_SESSION_NAME
from airflow_provider_aegis.client.protocol.endpoints import REGIONS
from airflow_provider_aegis.hooks.auth import AUTH_LABELS, AUTH_TYPES


def _text_schema(**more: Any) -> dict[str, Any]:
    return {"type": ["string", "null"], **more}


def _seconds(most: float) -> dict[str, Any]:
    return {"type": ["number", "null"], "minimum": 0.1, "maximum": most, "section": OTHERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the connection.

    :param name: an attribute of Airflow's connection, or the name of an extra.
    :param default: the value of an empty field.
    :param hidden: whether the form does not show it.
    :param schema: JSON schema of an extra. Its ``minimum``, ``maximum`` and ``enum`` are enforced; the form shows its
        ``examples`` as suggestions, ``values_display`` in place of the values of ``enum``, and groups by ``section``.
    """

    name: str
    label: str
    description: str
    default: str | float | None = None
    hidden: bool = False
    schema: Mapping[str, Any] = field(default_factory=_text_schema)

    @property
    def standard(self) -> bool:
        """Whether every Airflow connection has this field."""
        return self.name in ("login", "password", "host")


# Groups of the form. A field of no section is in the first one, which Airflow calls "Extra Fields".
CREDENTIALS = "Credentials other than an AccessKey"
OTHERS = "Limits, timeouts, language and links"

FIELDS: tuple[Field, ...] = (
    Field(name="login", label="AccessKey ID", description="The AccessKey ID of a RAM user."),
    Field(name="password", label="AccessKey secret", description="The secret of the AccessKey ID."),
    Field(
        name="host",
        label="Endpoint",
        description="A host to use in place of the region's, as tds.vpc-proxy.aliyuncs.com inside a VPC.",
    ),
    Field(
        name="region",
        label="Region",
        description="The region of the assets, as cn-hangzhou or ap-southeast-1: those that begin with cn- are on the "
        "control plane of China, all others on the international one.",
        schema=_text_schema(examples=sorted(REGIONS)),
    ),
    Field(
        name="auth_type",
        label="Authentication",
        description="Where the credentials come from; if empty, from the AccessKey and the STS token.",
        schema=_text_schema(enum=[*AUTH_TYPES], values_display=AUTH_LABELS),
    ),
    Field(
        name="security_token",
        label="STS token",
        description="The token of temporary credentials; for the authentication sts.",
        schema=_text_schema(format="password", section=CREDENTIALS),
    ),
    Field(
        name="role_arn",
        label="Role ARN",
        description="The role to assume, as acs:ram::1234567890:role/scanner, also of another account; for "
        "ram_role_arn and oidc_role_arn.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="role_session_name",
        label="Role session name",
        description=f"The name that ActionTrail shows for the role's calls, {DEFAULT_SESSION_NAME} if empty; for "
        "ram_role_arn and oidc_role_arn.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="role_session_expiration",
        label="Role session duration",
        description="Seconds that a session lasts, 3600 if empty, up to what the role allows; for ram_role_arn and "
        "oidc_role_arn.",
        schema={"type": ["number", "null"], "minimum": 900, "maximum": 43200, "section": CREDENTIALS},
    ),
    Field(
        name="external_id",
        label="External ID",
        description="The external ID that the role's trust policy requires; for ram_role_arn.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="policy",
        label="Session policy",
        description="A RAM policy (JSON) that narrows what the role may do; for ram_role_arn and oidc_role_arn.",
        schema=_text_schema(format="multiline", section=CREDENTIALS),
    ),
    Field(
        name="role_name",
        label="ECS instance role",
        description="The role of the ECS instance that Airflow runs on, found by the instance metadata if empty; for "
        "ecs_ram_role.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="oidc_provider_arn",
        label="OIDC provider ARN",
        description="The identity provider, as acs:ram::1234567890:oidc-provider/ack; for oidc_role_arn.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="oidc_token_file",
        label="OIDC token file",
        description="Absolute path of the file with the OIDC token, read for every new session; for oidc_role_arn.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="credentials_uri",
        label="Credentials URI",
        description="Address of a service that returns credentials, on this machine (loopback or link-local) or on "
        "the host of this connection; for credentials_uri.",
        schema=_text_schema(section=CREDENTIALS),
    ),
    Field(
        name="max_requests_per_second",
        label="Requests per second",
        description="The most requests that one Airflow process sends to the account in a second; Security Center "
        "allows 10 for each operation, shared by everyone who uses the account, the console included.",
        default=5.0,
        schema={"type": ["number", "null"], "minimum": 0.1, "maximum": 100, "section": OTHERS},
    ),
    Field(
        name="connect_timeout",
        label="Connect timeout",
        description="Seconds to wait for a connection.",
        default=5.0,
        schema=_seconds(60),
    ),
    Field(
        name="read_timeout",
        label="Read timeout",
        description="Seconds to wait for the next bytes of an answer.",
        default=10.0,
        schema=_seconds(120),
    ),
    Field(
        name="ca_bundle",
        label="CA bundle",
        description="Path of a PEM file with certificate authorities to trust besides the usual ones.",
        schema=_text_schema(section=OTHERS),
    ),
    Field(
        name="lang",
        label="Language",
        description="The language of the texts in findings, as the titles of vulnerabilities.",
        default="en",
        schema=_text_schema(enum=["en", "zh"], section=OTHERS),
    ),
    Field(
        name="console_site",
        label="Console site",
        description="The site on which the account signs in, for the links in Airflow's UI; that of the control plane "
        "if empty.",
        schema=_text_schema(enum=["china", "international"], section=OTHERS),
    ),
    Field(
        name="max_poll_delay",
        label="Longest poll delay",
        description="The most seconds before a read of a scan's status, whatever a task's intervals say; for tests.",
        default=math.inf,
        hidden=True,
        schema={"type": ["number", "null"], "minimum": 0, "maximum": 3600},
    ),
)


def conn_fields() -> dict[str, Any]:
    """Return the extras for the provider's ``conn-fields``."""
    return {
        one.name: {
            "label": one.label,
            "description": one.description,
            "schema": {**one.schema, **({} if one.default is None else {"default": one.default})},
        }
        for one in FIELDS
        if not (one.standard or one.hidden)
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Return how the form shows the fields that every connection has."""
    return {
        "hidden-fields": ["schema", "port"],
        "relabeling": {one.name: one.label for one in FIELDS if one.standard},
        "placeholders": {"host": "leave empty: set Region under Extra Fields", "login": "LTAI…"},
    }
