"""Our signature is the official SDK's for any parameters, and both transports send what was signed."""

from __future__ import annotations

import asyncio
import string
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.flows.exchange import Flow, Send, Signature
from airflow_provider_aegis.client.protocol import signing
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.client.transport.blocking import BlockingTransport
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from tests.fakes import patiently
from tests.unit.client.transport.drivers import service_at
from tests.unit.client.transport.loopback import Server

utils = pytest.importorskip("alibabacloud_tea_openapi.utils", reason="needs the official SDK")
request = pytest.importorskip("darabonba.request", reason="needs the official SDK")

EMPTY_BODY = signing.sha256_hex(b"")

# The SDK does not percent-encode names, so they are what names of parameters are.
names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)
texts = (
    st.text(st.characters(codec="utf-8"))
    | st.text(" \t\n+%~*/?#&=:;,'\"<>[]{}|\\^`@!$()")
    | st.sampled_from(
        ["%7E", "%2f", "a b", "a+b", '{"a": [1, "ä"]}', "../..", "//", "\u2028", "\ufeff", "\U0001f600", "e\u0301"]
    )
)
scalars = texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none()


def params(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    nested = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
    )
    return st.dictionaries(names, nested, max_size=6)


any_params = params(scalars | st.booleans())
header_texts = st.text(string.ascii_letters + string.digits + "/+=-_.~ ", max_size=40)


def sdk_flattens(known: dict[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = utils.Utils.query(known)
    return flat


@patiently
@given(params(scalars))
def test_flattening_is_the_sdks(known: dict[str, Any]) -> None:
    assert signing.flatten(known) == sdk_flattens(known)


def lowered(value: Any) -> Any:
    """Spell booleans as the API does; the SDK leaves that to its caller."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return {name: lowered(member) for name, member in value.items()}
        case list():
            return [lowered(member) for member in value]
    return value


@patiently
@given(any_params)
def test_booleans_apart_which_are_lower_case(known: dict[str, Any]) -> None:
    assert signing.flatten(known) == sdk_flattens(lowered(known))


@patiently
@given(
    known=any_params,
    method=st.sampled_from(["POST", "GET"]),
    body=st.binary(max_size=50),
    secret=st.text(st.characters(codec="utf-8"), min_size=1),
    token=st.none() | header_texts,
    action=names,
    nonce=header_texts,
)
def test_the_signature_is_the_sdks(
    known: dict[str, Any], method: str, body: bytes, secret: str, token: str | None, action: str, nonce: str
) -> None:
    query = signing.flatten(known)
    headers = signing.signed_headers(
        method=method,
        host="tds.cn-shanghai.aliyuncs.com",
        query=signing.canonical_query(query),
        action=action,
        version="2018-12-03",
        date="2026-01-02T03:04:05Z",
        nonce=nonce,
        credentials=Credentials("test-id", secret, token),
        body=body,
        content_type="application/json; charset=utf-8",
    )
    ours = headers.pop("authorization")
    theirs = request.DaraRequest()
    theirs.method, theirs.pathname, theirs.query, theirs.headers = method, "/", query, headers
    digest = headers["x-acs-content-sha256"]
    assert ours == utils.Utils.get_authorization(theirs, signing.ALGORITHM, digest, "test-id", secret)


# On the wire

Perform = Callable[[Flow[Response]], Response]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, Server() as running:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield running


@pytest.fixture(scope="module")
def blocking(server: Server) -> Iterator[Perform]:
    with BlockingTransport(service_at(f"http://{server.address}")) as transport:
        yield transport.run_flow


@pytest.fixture(scope="module")
def nonblocking(server: Server) -> Iterator[Perform]:
    opened = open_transport(service_at(f"http://{server.address}"))
    with asyncio.Runner() as runner:

        async def wait_for(what: Awaitable[Any]) -> Any:
            return await what

        transport = runner.run(wait_for(opened.__aenter__()))
        yield lambda flow: runner.run(transport.run_flow(flow))
        runner.run(wait_for(opened.__aexit__(None, None, None)))


def send(config: ClientConfig, query: str) -> Flow[Response]:
    signature = Signature("GenerateOnceTask", "2026-01-02T03:04:05Z", "nonce", Credentials("test-id", "test-secret"))
    reply = yield Send(f"{config.endpoint.url}{'?' if query else ''}{query}", signature, 5, 5)
    assert isinstance(reply, Response)
    return reply


def check_the_wire(server: Server, run_flow: Perform, known: dict[str, Any]) -> None:
    query = signing.canonical_query(signing.flatten(known))
    run_flow(send(service_at(f"http://{server.address}"), query))
    received = server.requests.pop()
    assert received.line == f"POST /{'?' if query else ''}{query} HTTP/1.1"
    headers = received.headers
    assert headers["host"] == server.address
    assert headers["content-length"] == "0"
    assert "content-type" not in headers
    signed = {name: value for name, value in headers.items() if name == "host" or name.startswith("x-acs-")}
    theirs = request.DaraRequest()
    theirs.method, theirs.pathname, theirs.query, theirs.headers = "POST", "/", signing.flatten(known), signed
    assert headers["authorization"] == utils.Utils.get_authorization(
        theirs, signing.ALGORITHM, EMPTY_BODY, "test-id", "test-secret"
    )


@patiently
@given(known=any_params)
@example(known={})
@example(known={"Param": '{"items": "A,B", "note": "%7E+~ *"}'})
def test_the_blocking_transport_sends_the_query_that_was_signed(
    server: Server, blocking: Perform, known: dict[str, Any]
) -> None:
    check_the_wire(server, blocking, known)


@patiently
@given(known=any_params)
@example(known={})
@example(known={"Param": '{"items": "A,B", "note": "%7E+~ *"}'})
def test_the_nonblocking_transport_sends_the_query_that_was_signed(
    server: Server, nonblocking: Perform, known: dict[str, Any]
) -> None:
    check_the_wire(server, nonblocking, known)
