"""Each of the official SDK's operations is the same on the wire when the hook calls it with the same parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.client.protocol.wire import WireForm
from airflow_provider_aegis.client.protocol.wire_forms import WIRE_FORMS
from tests.conformance.official_sdk import Sent, captured, empty, filled, make, methods, request_class, send
from tests.conformance.wire_forms import FILE, generate
from tests.fakes import OK, signature_of, stage

pytest.importorskip("alibabacloud_sas20181203")

# The SDK takes the time of day in a way that Python 3.12 and later warn of.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

OPERATIONS = 962


@pytest.fixture(scope="module")
def sdk() -> Iterator[Any]:
    with captured() as client:
        yield client


def ours(action: str, params: dict[str, Any]) -> Sent:
    """Return what ``hook.call`` sends."""
    it = stage(OK)
    it.run_flow(exchange(it.config, call(action, **params)))
    (sent,) = it.sent
    query = urlsplit(sent.url).query
    return Sent(
        signature_of(sent).action,
        sent.method,
        sorted(parse_qsl(query, keep_blank_values=True)),
        sent.body,
        sent.headers.get("content-type"),
    )


@pytest.mark.parametrize("value", [filled, empty], ids=["filled", "empty"])
def test_every_operation_is_the_same_on_the_wire(sdk: Any, value: Callable[[str, type], Any]) -> None:
    names = methods(sdk)
    differing = []
    for name in names:
        request = make(request_class(sdk, name), value=value)
        theirs = send(sdk, name, request)
        if ours(theirs.action, request.to_map() if request else {}) != theirs:
            differing.append(theirs.action)
    assert (len(names), differing) == (OPERATIONS, [])


def test_the_table_is_what_the_generator_makes() -> None:
    assert FILE.read_text() == generate()


def test_the_table_has_the_exceptions_alone() -> None:
    assert WireForm() not in WIRE_FORMS.values()
    assert sum(form.method == "GET" for form in WIRE_FORMS.values()) == 22
    assert sum(bool(form.body or form.json or form.commas) for form in WIRE_FORMS.values()) == 46
