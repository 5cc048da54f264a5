"""The connection's fields as one table: the form, the parser and the documentation all read it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.credentials.sts import DEFAULT_SESSION_NAME
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.endpoints import INTERNATIONAL, resolve_endpoint, unknown_region_warning
from airflow_provider_aegis.client.protocol.validation import as_number, as_text, check_known
from airflow_provider_aegis.hooks.auth import AUTH_FIELDS, AUTH_TYPES, credentials_of

log = logging.getLogger(__name__)

CONN_TYPE = "aegis"
CONN_NAME = "aegis_default"
HOOK_NAME = "Alibaba Cloud Security Center"
# The official provider's type; its connections hold the keys in the extra, and the endpoint of another product.
ALIBABA_CONN_TYPE = "alibaba_cloud"
# Where no type is given, and `generic`, say nothing of another service: they are read as our own type.
CONN_TYPES = (CONN_TYPE, ALIBABA_CONN_TYPE, None, "", "generic")
# Extras that people expect, and the connection's field in place of each.
FIELD_INSTEAD = {"access_key_id": "login", "access_key_secret": "password", "host": "host", "port": "port"}
BORROWED_OTHERWISE = ("auth_type", *(name for name in AUTH_FIELDS if name != "security_token"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the connection.

    :param name: an attribute of Airflow's connection, or the name of an extra.
    :param default: what counts where the field is empty.
    :param schema: JSON schema of an extra; its ``minimum`` and ``maximum`` are enforced, and its ``enum``.
    """

    name: str
    label: str
    description: str
    default: str | float | None = None
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": ["string", "null"]})

    @property
    def standard(self) -> bool:
        """Whether every Airflow connection has this field."""
        return self.name in ("login", "password", "host")


def _seconds(most: float) -> dict[str, Any]:
    return {"type": ["number", "null"], "minimum": 0.1, "maximum": most}


FIELDS: tuple[Field, ...] = (
    Field(
        name="login", label="AccessKey ID", description="The AccessKey ID of a RAM user or of temporary credentials."
    ),
    Field(name="password", label="AccessKey secret", description="The secret that belongs to the AccessKey ID."),
    Field(
        name="host",
        label="Endpoint",
        description="A host that wins over the region, as tds.vpc-proxy.aliyuncs.com inside a VPC. Plain http:// is "
        "accepted for an emulator on loopback alone.",
    ),
    Field(
        name="region",
        label="Region",
        description="Region of the assets, as cn-hangzhou or ap-southeast-1. Regions that begin with cn- belong to "
        "the control plane of China, all others to the international one; a task exists only on the one that made it. "
        "A name that is not known is used, with a warning.",
    ),
    Field(
        name="auth_type",
        label="Authentication",
        description="Where the credentials come from. Empty: login and password are an AccessKey, with an STS token "
        "temporary credentials (access_key, sts).",
        schema={"type": ["string", "null"], "enum": [*AUTH_TYPES]},
    ),
    Field(
        name="security_token",
        label="STS token",
        description="sts: the token that came with the temporary credentials.",
        schema={"type": ["string", "null"], "format": "password"},
    ),
    Field(
        name="role_arn",
        label="Role ARN",
        description="ram_role_arn, oidc_role_arn: the role to assume, as acs:ram::1234567890:role/scanner; it may "
        "be one of another account.",
    ),
    Field(
        name="role_session_name",
        label="Role session name",
        description="ram_role_arn, oidc_role_arn: the name that ActionTrail shows for what the role does. "
        f"Default: {DEFAULT_SESSION_NAME}.",
    ),
    Field(
        name="role_session_expiration",
        label="Role session seconds",
        description="ram_role_arn, oidc_role_arn: how long a session lasts, up to what the role allows. Default: 3600.",
        schema={"type": ["number", "null"], "minimum": 900, "maximum": 43200},
    ),
    Field(name="external_id", label="External ID", description="ram_role_arn: what the role's trust policy asks for."),
    Field(
        name="policy",
        label="Session policy",
        description="ram_role_arn, oidc_role_arn: a RAM policy (JSON) that narrows what the role may do.",
    ),
    Field(
        name="oidc_provider_arn",
        label="OIDC provider ARN",
        description="oidc_role_arn: the identity provider, as acs:ram::1234567890:oidc-provider/ack.",
    ),
    Field(
        name="oidc_token_file",
        label="OIDC token file",
        description="oidc_role_arn: absolute path of the file with the token; it is read at every fetch.",
    ),
    Field(
        name="role_name",
        label="Instance role",
        description="ecs_ram_role: the role that is attached to the machine. The metadata service is asked if empty.",
    ),
    Field(
        name="credentials_uri",
        label="Credentials URI",
        description="credentials_uri: address of a service that hands out credentials, on this machine (loopback or "
        "link-local) or on the host of this connection.",
    ),
    Field(
        name="connect_timeout",
        label="Connect time-out",
        description="Seconds to wait for a connection.",
        default=5.0,
        schema=_seconds(60),
    ),
    Field(
        name="read_timeout",
        label="Read time-out",
        description="Seconds to wait for the next bytes of an answer.",
        default=10.0,
        schema=_seconds(120),
    ),
    Field(
        name="ca_bundle",
        label="CA bundle",
        description="Path of a PEM file with certificate authorities to trust besides the usual ones.",
    ),
    Field(
        name="max_requests_per_second",
        label="Requests a second",
        description="Ceiling for what one Airflow process asks of the account. The service allows 10 a second for each "
        "operation, shared by everyone who uses the account, the console included.",
        default=5.0,
        schema={"type": ["number", "null"], "minimum": 0.1, "maximum": 100},
    ),
    Field(
        name="console_site",
        label="Console site",
        description="The site on which the account signs in, for the links in the UI; by the control plane if empty.",
        schema={"type": ["string", "null"], "enum": ["china", "international"]},
    ),
)


class AirflowConnection(Protocol):
    """What the parser needs of Airflow's connection."""

    conn_id: Any
    conn_type: Any
    login: Any
    password: Any
    host: Any
    port: Any
    extra: Any


def conn_fields() -> dict[str, Any]:
    """Return the extras for the provider's ``conn-fields``."""
    return {
        one.name: {
            "label": one.label,
            "description": one.description,
            "schema": {**one.schema, **({} if one.default is None else {"default": one.default})},
        }
        for one in FIELDS
        if not one.standard
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Return how the form shows the fields that every connection has."""
    return {
        "hidden-fields": ["schema", "port"],
        "relabeling": {one.name: one.label for one in FIELDS if one.standard},
        "placeholders": {"host": "only to override what the region says", "login": "LTAI…"},
    }


def parse_connection(conn: AirflowConnection, *, region: str | None = None) -> ClientConfig:
    """Read a connection.

    :param region: wins over the connection's own region, and never over its host.
    :raises ConfigurationError: if a field cannot be used; the text names the connection and the field.
    """
    named = f"Connection {conn.conn_id!r}"
    try:
        config = _parse(conn, region)
    except ConfigurationError as error:
        problem = f"{named}: {error}"
    else:
        if warning := unknown_region_warning(config.region):
            _warn_once(f"{named}: {'argument' if region else 'extra'} 'region': {warning}")
        return config
    del conn  # error trackers ship the variables of a traceback, and its repr has the password in it
    raise ConfigurationError(problem)


@lru_cache(maxsize=100)
def _warn_once(text: str) -> None:
    log.warning("%s", text)


def _parse(conn: AirflowConnection, region: str | None) -> ClientConfig:
    if conn.conn_type not in CONN_TYPES:
        raise ConfigurationError(
            f"its type must be {CONN_TYPE!r} or {ALIBABA_CONN_TYPE!r}, not {conn.conn_type!r:.60}."
        )
    extra = _extra_of(conn)
    borrowed = conn.conn_type == ALIBABA_CONN_TYPE
    keys = (
        {name: extra.get(name) for name in ("access_key_id", "access_key_secret")}
        if borrowed
        else {"login": conn.login, "password": conn.password}
    )
    login, password = (_text(name, value) for name, value in keys.items())
    if borrowed:  # their auth_type is of other words, and all of their connections hold an AccessKey
        extra = {name: value for name, value in extra.items() if name not in BORROWED_OTHERWISE}
    else:
        _check_names(extra)
    values = {one.name: _read(one, extra.get(one.name)) for one in FIELDS if not one.standard}
    region = region or values["region"]
    host, port = (None, None) if borrowed else (_text("host", conn.host), conn.port)
    endpoint = resolve_endpoint(region=region, host=host, port=port)
    plane = resolve_endpoint(region=region, host=None) if region else endpoint
    return ClientConfig(
        conn_id=str(conn.conn_id),
        endpoint=endpoint,
        credentials=credentials_of(
            {**values, "login": login, "password": password},
            host=urlsplit(endpoint.url).hostname if host else None,
        ),
        connect_timeout=values["connect_timeout"],
        read_timeout=values["read_timeout"],
        ca_bundle=values["ca_bundle"],
        max_requests_per_second=values["max_requests_per_second"],
        site=values["console_site"] or ("international" if plane.host == INTERNATIONAL else endpoint.site),
        region=region,
    )


def _extra_of(conn: AirflowConnection) -> dict[str, Any]:
    try:
        extra = json.loads(conn.extra) if conn.extra else {}
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("the extra is not JSON: repair it, or leave it empty.") from error
    if not isinstance(extra, dict):
        raise ConfigurationError('the extra must be a JSON object, as {"region": "cn-hangzhou"}.')
    return extra


def _check_names(extra: Mapping[str, Any]) -> None:
    """Refuse extras that are not known: a misspelt one would silently count for nothing."""
    known = [one.name for one in FIELDS if not one.standard]
    for name in (name for name, value in extra.items() if value not in (None, "")):
        if name in FIELD_INSTEAD:
            raise ConfigurationError(f"extra {name!r} is not known: use the field {FIELD_INSTEAD[name]!r} instead.")
        check_known(name, known, what="extra")


def _text(name: str, value: Any) -> str | None:
    """Return a text as it is; a connection that is written as JSON can hold anything."""
    return None if value is None else as_text(repr(name), value)


def _read(one: Field, value: Any) -> Any:
    """Return an extra's value in the type that its schema names, or its default."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return one.default
    if "number" in one.schema["type"]:
        return as_number(f"extra {one.name!r}", value, least=one.schema["minimum"], most=one.schema["maximum"])
    text = as_text(f"extra {one.name!r}", value).strip()
    known = one.schema.get("enum", ())
    if known and text not in known:
        raise ConfigurationError(f"extra {one.name!r} must be one of {', '.join(known)}, not {value!r:.40}.")
    return text
