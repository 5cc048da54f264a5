"""Reads an Airflow connection into the client's configuration."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.endpoints import (
    INTERNATIONAL,
    resolve_endpoint,
    unknown_region_warning,
)
from airflow_provider_aegis.client.protocol.validation import as_number, as_text, check_known
from airflow_provider_aegis.hooks.auth import AUTH_FIELDS, credentials_of
from airflow_provider_aegis.hooks.connection_form import FIELDS, Field

log = logging.getLogger(__name__)

CONN_TYPE = "aegis"
CONN_NAME = "aegis_default"
HOOK_NAME = "Alibaba Cloud Security Center"
# The official provider's type; its connections have the AccessKey in the extra, and the endpoint of another product.
ALIBABA_CONN_TYPE = "alibaba_cloud"
# A connection without a type, or of the type `generic`, is read as one of our own type.
CONN_TYPES = (CONN_TYPE, ALIBABA_CONN_TYPE, None, "", "generic")
# Extras that users expect, and the connection's field that replaces each.
FIELD_INSTEAD = {"access_key_id": "login", "access_key_secret": "password", "host": "host", "port": "port"}
BORROWED_OTHERWISE = ("auth_type", *(name for name in AUTH_FIELDS if name != "security_token"))


class AirflowConnection(Protocol):
    """The fields of Airflow's connection that the parser reads."""

    conn_id: Any
    conn_type: Any
    login: Any
    password: Any
    host: Any
    port: Any
    extra: Any


def parse_connection(conn: AirflowConnection, *, region: str | None = None) -> ClientConfig:
    """Read a connection.

    :param region: replaces the connection's own region, never its host.
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
    del conn  # error trackers send the variables of a traceback, and its repr contains the password
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
    if borrowed:  # their auth_type has other values, and all of their connections hold an AccessKey
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
        max_poll_delay=values["max_poll_delay"],
        site=values["console_site"] or ("international" if plane.host == INTERNATIONAL else endpoint.site),
        region=region,
        lang=values["lang"],
    )


def _extra_of(conn: AirflowConnection) -> dict[str, Any]:
    try:
        extra = json.loads(conn.extra) if conn.extra else {}
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("the extra must be a JSON object, or empty: it is not JSON.") from error
    if not isinstance(extra, dict):
        raise ConfigurationError('the extra must be a JSON object, as {"region": "cn-hangzhou"}.')
    return extra


def _check_names(extra: Mapping[str, Any]) -> None:
    """Refuse unknown extras: a misspelt one would be ignored without a word."""
    known = [one.name for one in FIELDS if not one.standard]
    for name in (name for name, value in extra.items() if value not in (None, "")):
        if name in FIELD_INSTEAD:
            raise ConfigurationError(f"extra {name!r} is not known: use the field {FIELD_INSTEAD[name]!r} instead.")
        check_known(name, known, what="extra")


def _text(name: str, value: Any) -> str | None:
    """Return a string unchanged; a connection that is written as JSON can hold any type."""
    return None if value is None else as_text(repr(name), value)


def _read(one: Field, value: Any) -> Any:
    """Return an extra's value in the type of its schema, or its default."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return one.default
    if "number" in one.schema["type"]:
        return as_number(f"extra {one.name!r}", value, least=one.schema["minimum"], most=one.schema["maximum"])
    text = as_text(f"extra {one.name!r}", value).strip()
    known = one.schema.get("enum", ())
    if known and text not in known:
        raise ConfigurationError(f"extra {one.name!r} must be one of {', '.join(known)}, not {value!r:.40}.")
    return text
