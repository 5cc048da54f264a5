"""The requests that the vendor's library makes for keys, with the care that requests to Security Center get."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.commands import Send
from airflow_provider_aegis.client.endpoints import is_loopback
from airflow_provider_aegis.client.errors import (
    ProtocolError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
    error_class,
)
from airflow_provider_aegis.client.transport.blocking import fetch
from airflow_provider_aegis.client.transport.bounded import BoundedAdapter
from airflow_provider_aegis.client.transport.proxy import proxy_for
from airflow_provider_aegis.client.transport.tls import tls_context

# Instance metadata; like every service on the machine itself or its link it is never asked through a proxy.
METADATA = "100.100.100.200"
# Where nothing is signed but the token says who is there, as well as where something is.
TELLING = ("Signature", "OIDCToken")
SECRET_PARAMETERS = ("Signature", "SecurityToken", "OIDCToken")
TIMEOUTS = (("connect", 5.0), ("read", 10.0))
SECRET_HEADER = "X-aliyun-ecs-metadata-token"


@dataclass(frozen=True, slots=True)
class Rules:
    """How requests for one connection's keys are made.

    :param ca_bundle: path of a file with further certificate authorities to trust.
    :param on_secret: told every secret of a request before it is sent.
    :param troubles: filled with what went wrong and may pass.
    """

    ca_bundle: str | None = None
    on_secret: Callable[[str], object] | None = field(default=None, repr=False)
    troubles: list[str] = field(default_factory=list, repr=False)


def perform(url: str, request: Any, options: dict[str, Any], rules: Rules) -> Answer:
    """Make a request of the library.

    :param url: the request's address.
    :param request: the library's request: ``method``, ``query``, ``headers``, ``body``.
    :param options: the library's options, of which ``connectTimeout`` and ``readTimeout`` count, in milliseconds.
    :raises SecurityCenterError: if there is no answer within bounds, or one that leads elsewhere.
    """
    prepared = requests.PreparedRequest()
    headers = {**request.headers, "accept-encoding": "identity"}
    prepared.prepare(method=request.method, url=url, headers=headers, data=request.body)
    parts = urlsplit(prepared.url or "")  # as it is sent, which is not always how another parser reads the address
    name = parts.hostname or ""
    if any(request.query.get(word) for word in TELLING) and not _may_be_told(parts.scheme, name):
        raise UntrustedEndpointError(f"{name!r} is no host of Alibaba Cloud to send a signature or a token to")
    bearer = prepared.headers.get("authorization", "").removeprefix("Bearer ")
    if bearer and parts.scheme != "https" and not is_near(name):
        raise UntrustedEndpointError(f"a token is not sent to {name!r} without TLS")
    queried = (request.query.get(word) for word in SECRET_PARAMETERS)
    form = parse_qsl(request.body) if isinstance(request.body, str) else []
    posted = (value for word, value in form if word.endswith("token"))
    for secret in (*queried, request.headers.get(SECRET_HEADER), bearer, *posted):
        if secret and rules.on_secret:
            rules.on_secret(secret)
    adapter = BoundedAdapter(
        tls_context(rules.ca_bundle) if parts.scheme == "https" else None,
        None if is_near(name) else proxy_for(prepared.url or ""),
    )
    try:
        connect, read = (_seconds(options.get(f"{what}Timeout"), otherwise) for what, otherwise in TIMEOUTS)
        answer = fetch(adapter, prepared, Send(prepared.url or "", None, connect, read))
    finally:
        adapter.close()
    if isinstance(answer, SecurityCenterError):
        # Where there is no instance there is no metadata service, which is no trouble.
        if answer.transient and not (name == METADATA and isinstance(answer, UnreachableError)):
            rules.troubles.append(answer.message)
        raise answer
    if (meaning := error_class("", answer.status)) and meaning.transient:
        rules.troubles.append(f"HTTP {answer.status} of {name}")
    if 300 <= answer.status < 400:
        raise ProtocolError(
            "the service that hands out keys answered with a redirect, which is never followed",
            http_status=answer.status,
        )
    return answer


def is_near(name: str) -> bool:
    """Whether a host is this machine, its link, or the instance's metadata."""
    try:
        return name == METADATA or is_loopback(name) or ipaddress.ip_address(name).is_link_local
    except ValueError:
        return False


def _may_be_told(scheme: str, name: str) -> bool:
    return is_loopback(name) or (scheme == "https" and name.endswith(".aliyuncs.com"))


def _seconds(milliseconds: Any, otherwise: float) -> float:
    return float(milliseconds) / 1000 if milliseconds else otherwise
