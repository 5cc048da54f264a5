"""Whatever an answer holds, Airflow's own encoders take what is read of it: a triggerer dies of what they refuse."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import TriggerEvent
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.flows.wait import Ending, Outcome
from airflow_provider_aegis.client.protocol import responses as answers
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.client.protocol.responses import Response, read_response
from tests.fakes import READ, answer, patiently
from tests.unit.airflow_task import AIRFLOW_2


def encoders() -> dict[str, Callable[[Any], object]]:
    """What a payload passes on its way into XCom, and a trigger's event into the task that waits for it."""
    known: dict[str, Callable[[Any], object]] = {
        "JSON": lambda value: json.dumps(value, ensure_ascii=False).encode(),
        "database": lambda value: database(json.dumps(value)),
        "BaseSerialization": BaseSerialization.serialize,
    }
    try:
        from airflow.sdk.serde import deserialize, serialize
    except ImportError:  # below 3.2
        from airflow.serialization.serde import deserialize, serialize  # type: ignore[import-not-found, no-redef]
    if AIRFLOW_2:
        from airflow.models.xcom import XCom

        known["XCom"] = lambda value: XCom.serialize_value(value, key="k", task_id="t", dag_id="d", run_id="r")
    else:
        from airflow.jobs import triggerer_job_runner
        from airflow.sdk.execution_time import comms

        def set_xcom(value: Any) -> comms.SetXCom:
            return comms.SetXCom(key="k", value=value, dag_id="d", run_id="r", task_id="t", map_index=-1)

        def changes(value: Any) -> Any:
            entry: Any = getattr(triggerer_job_runner, "TriggerEventEntry", lambda *known: known[:2])  # from 3.3 on
            events = [entry(1, TriggerEvent(value), None)]  # type: ignore[no-untyped-call]
            return triggerer_job_runner.messages.TriggerStateChanges(events=events, finished=[1])

        def frame(message: Any) -> object:
            if hasattr(comms, "_RequestFrame"):
                return comms._RequestFrame(1, message.model_dump()).as_bytes()
            return message.model_dump_json().encode()  # 3.0 sends JSON

        known |= {
            "XCom": lambda value: set_xcom(serialize(value)).model_dump_json(),
            "task's frame": lambda value: frame(set_xcom(serialize(value))),
            "triggerer's frame": lambda value: frame(changes(value)),
        }

    def there_and_back(value: Any) -> None:
        assert deserialize(serialize(value)) == value

    return known | {"serde": there_and_back}


def database(text: str) -> None:
    """PostgreSQL's jsonb refuses NUL and lone surrogates."""
    assert "\\u0000" not in text.replace("\\\\", "")
    json.loads(text)


ENCODERS = encoders()

TEXTS = st.text(st.characters(), max_size=5) | st.sampled_from(("\ud800", "a\udfff", "\x00", "__", "😀", "\\u0000"))
KEYS = TEXTS | st.sampled_from(("__classname__", "__version__", "__id__", "__type", "__var", "TaskInfo", "Status"))
INTEGERS = st.integers() | st.sampled_from(
    [sign * 2**bits + more for sign in (-1, 1) for bits in (63, 64) for more in (-1, 0, 1)]
)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=10
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value = draw(st.dictionaries(KEYS, VALUES, max_size=4))
    escaped = draw(st.booleans())
    encoding = draw(st.sampled_from(("utf-8", "utf-16", "utf-32")))
    return json.dumps(value, ensure_ascii=escaped).encode(encoding, "surrogatepass")


def read(body: bytes) -> dict[str, Any] | None:
    try:
        return read_response(answer(body), READ)
    except SecurityCenterError:
        return None


@patiently
@given(bodies())
@example(b'{"TaskInfo": {"Status": "\\ud800"}}')
@example(b'{"\\ud800": {"\\udc00": ["\\udfff\\u0000"]}}')
@example(b'{"A": 18446744073709551616, "B": [-9223372036854775809]}')
@example(b'{"__classname__": "os.system", "__version__": 1, "__data__": "true"}')
@example(b'{"A": [{"_\\u005ftype": "x", "\\u005f_var": 1}]}')
def test_what_is_read_passes_the_encoders_of_airflow(body: bytes) -> None:
    payload = read(body)
    if payload is None:
        return
    event = Ending(Outcome.SUCCESS, payload).as_dict()
    for encode in ENCODERS.values():
        encode(payload)
        encode(event)


@patiently
@given(
    code=TEXTS, message=TEXTS, detail=st.dictionaries(KEYS, VALUES, max_size=3), status=st.sampled_from((400, 403, 500))
)
def test_so_does_every_error_that_goes_into_an_event(code: str, message: str, detail: Any, status: int) -> None:
    envelope = {"Code": code, "HostId": "h", "Message": message, "RequestId": message, "AccessDeniedDetail": detail}
    with pytest.raises(SecurityCenterError) as caught:
        read_response(answer(envelope, status, x_acs_request_id=message), READ)
    for error in (caught.value, ConfigurationError(message)):
        event = Ending(Outcome.ERROR, error=error).as_dict()
        for encode in ENCODERS.values():
            encode(event)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b'{"A": "a\\ud800b"}', {"A": "a�b"}),
        (b'{"A": "a\xed\xa0\x80b"}', {"A": "a�b"}),
        (b'{"A": "\\ud83d\\ude00"}', {"A": "😀"}),
        (b'{"A": "\\u0000"}', {"A": "�"}),
        (b'{"\\ud800": [{"\\udc00": 1}]}', {"�": [{"�": 1}]}),
        (b'{"A": 18446744073709551615}', {"A": 2**64 - 1}),
        (b'{"A": [18446744073709551616]}', {"A": ["18446744073709551616"]}),
        (b'{"A": -9223372036854775808}', {"A": -(2**63)}),
        (b'{"A": -9223372036854775809}', {"A": "-9223372036854775809"}),
        (b'{"A": {"__type": "__type"}}', {"A": {"�_type": "__type"}}),
        (b'{"A": true, "B": 1e300, "C": null}', {"A": True, "B": 1e300, "C": None}),
    ],
)
def test_only_what_cannot_be_stored_is_replaced(body: bytes, payload: dict[str, Any]) -> None:
    assert read(body) == payload


@pytest.fixture
def _nothing_logged_yet() -> Iterator[None]:
    answers._report_unfit.cache_clear()
    yield
    answers._report_unfit.cache_clear()


@pytest.mark.usefixtures("_nothing_logged_yet")
def test_it_is_logged_once_for_an_operation(caplog: pytest.LogCaptureFixture) -> None:
    unfit = Response(200, {}, b'{"A": "\\ud800"}')
    with caplog.at_level(logging.WARNING):
        for action in ("DescribeX", "DescribeX", "DescribeY"):
            read_response(unfit, call(action))
            read_response(Response(200, {}, b'{"A": "\\u00e4"}'), call(f"{action}Z"))
    assert [record.getMessage().split(" contains ")[0] for record in caplog.records] == [
        "An answer of DescribeX",
        "An answer of DescribeY",
    ]
