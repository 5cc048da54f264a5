"""Who may control an emulator: nobody whom a browser was led here by, and nothing of great length."""

from __future__ import annotations

import json
from http.client import HTTPConnection

import pytest

from airflow_provider_aegis.emulator import Control, Emulator, Fault, Key
from airflow_provider_aegis.emulator.app import CONTROL_BODY, CONTROL_HEADERS
from tests.unit.emulator.support import KIND, ask

JSON = {"Content-Type": "application/json"}


def control(
    sas: Emulator, method: str, verb: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, str]:
    connection = HTTPConnection(sas.host, sas.port, timeout=10)
    try:
        connection.request(
            method, f"/_emulator/{verb}", body, {**(JSON if method == "POST" else {}), **(headers or {})}
        )
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


VERBS = pytest.mark.parametrize(("method", "verb"), [("GET", "log"), ("POST", "reset")])


@VERBS
@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:8765",
        "127.0.0.1.rebound.example",
        "0.0.0.0",
        "192.0.2.7:80",
        "",
        "[",
        "a@b:c",
    ],
)
def test_a_name_that_dns_rebinding_led_here_controls_nothing(sas: Emulator, method: str, verb: str, host: str) -> None:
    ask(sas, "GenerateOnceTask", Param="{}", **KIND)
    status, text = control(sas, method, verb, {"Host": host})
    assert status in (400, 403)
    assert "GenerateOnceTask" not in text
    assert sas.started


@VERBS
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "127.8.8.8"]
)
def test_every_name_of_loopback_controls(sas: Emulator, method: str, verb: str, host: str) -> None:
    assert control(sas, method, verb, {"Host": host.format(port=sas.port)})[0] == 200


@VERBS
@pytest.mark.parametrize(
    "origin", ["https://rebound.example", "http://127.0.0.1:1", "http://localhost:{port}", "null", ""]
)
def test_a_page_from_elsewhere_controls_nothing(sas: Emulator, method: str, verb: str, origin: str) -> None:
    ask(sas, "GenerateOnceTask", Param="{}", **KIND)
    status, text = control(sas, method, verb, {"Origin": origin.format(port=sas.port)})
    assert (status, "Origin" in text) == (403, True)
    assert sas.started


@VERBS
def test_the_emulators_own_page_controls(sas: Emulator, method: str, verb: str) -> None:
    assert control(sas, method, verb, {"Origin": sas.url})[0] == 200


def test_a_client_that_names_localhost_controls(sas: Emulator) -> None:
    assert Control(f"http://localhost:{sas.port}").state["keys"] == [sas.access_key_id]


@VERBS
def test_a_long_control_request_is_refused(sas: Emulator, method: str, verb: str) -> None:
    status, _ = control(sas, method, verb, {"X-Long": "x" * CONTROL_HEADERS})
    assert status == 431
    status, _ = control(sas, method, f"{verb}?{'x' * CONTROL_HEADERS}")
    assert status == 431


def test_a_long_body_is_refused(sas: Emulator) -> None:
    body = json.dumps({"task_id": "x" * CONTROL_BODY}).encode()
    assert control(sas, "POST", "finish", body=body)[0] == 413


def test_a_body_that_is_nested_too_deeply_is_refused_in_form(sas: Emulator) -> None:
    assert control(sas, "POST", "finish", body=b"[" * (CONTROL_BODY - 1))[0] == 422


def test_a_signed_request_may_be_long_and_from_any_page(sas: Emulator) -> None:
    assert ask(sas, "GenerateOnceTask", Param=json.dumps({"items": "x" * 100_000}), **KIND).status == 200


NAN, INF = float("nan"), float("inf")
NUMBERS = [
    ("set", {"seconds": NAN}, "the setting seconds cannot be nan"),
    ("set", {"unknown_for": INF}, "the setting unknown_for cannot be inf"),
    ("inject", {"seconds": NAN}, "seconds cannot be nan"),
    ("inject", {"probability": 1.5}, "probability cannot be 1.5"),
    ("inject", {"times": -1}, "times cannot be -1"),
    ("add_key", {"seconds": -1}, "seconds cannot be -1"),
    ("refuse_connections", {"seconds": NAN}, "seconds cannot be nan"),
]


@pytest.mark.parametrize(("verb", "arguments", "words"), NUMBERS)
@pytest.mark.parametrize("how", ["library", "http"])
def test_a_number_that_is_none_is_refused_by_name(
    how: str, verb: str, arguments: dict[str, float], words: str, sas: Emulator
) -> None:
    needed = {"inject": ("*", Fault.reset()), "add_key": ("id", "secret")}.get(verb, ())
    with pytest.raises(ValueError, match=words):
        getattr(sas if how == "library" else Control(sas.url), verb)(*needed, **arguments)
    assert ask(sas, "GenerateOnceTask", Param="{}", **KIND).status == 200


def test_a_fault_and_a_key_of_no_span_of_time_are_none() -> None:
    with pytest.raises(ValueError, match="delay cannot be nan"):
        Fault.delayed(NAN)
    with pytest.raises(ValueError, match="size cannot be -1"):
        Fault.too_long(size=-1)
    with pytest.raises(ValueError, match="seconds cannot be nan"):
        Key("secret", seconds=NAN)
