from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from http.client import HTTPConnection, IncompleteRead

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from airflow_provider_aegis.emulator import Emulator, Fault
from airflow_provider_aegis.emulator.app import build_app
from airflow_provider_aegis.emulator.listener import Listener, bind
from tests.unit.emulator.support import KIND, Caller, ask, send, send_raw, sign_for


def test_a_call_goes_over_the_wire(sas: Emulator) -> None:
    answered = ask(sas, "GenerateOnceTask", Param='{"a": "b c+d/ä"}', **KIND)
    assert answered.status == 200
    assert answered.headers["x-acs-request-id"] == answered.payload["RequestId"]
    assert sas.tasks[answered.payload["TaskId"]].param == {"a": "b c+d/ä"}


def test_there_is_one_date_and_it_is_the_services(sas: Emulator) -> None:
    sas.set(clock_skew=-86400.0)
    _, headers, _ = send_raw(sas, sign_for(sas, "DescribeOnceTask"))
    sas.set(clock_skew=0.0)
    _, unskewed, _ = send_raw(sas, sign_for(sas, "DescribeOnceTask"))
    assert headers["date"][:16] != unskewed["date"][:16]


def test_any_path_and_method_is_answered_with_the_envelope(sas: Emulator) -> None:
    request = sign_for(sas, "DescribeOnceTask")
    for changed in (replace(request, path="/elsewhere"), replace(request, method="DELETE")):
        answered = send(sas, changed)
        assert answered.code == "SignatureDoesNotMatch"
        assert answered.payload.keys() == {"RequestId", "HostId", "Code", "Message", "Recommend"}


def test_a_query_of_100_kilobytes_arrives(sas: Emulator) -> None:
    param = json.dumps({"items": "x" * 100_000})
    assert ask(sas, "GenerateOnceTask", Param=param, **KIND).status == 200


def test_bytes_that_are_no_utf8_are_refused_in_form(sas: Emulator) -> None:
    connection = HTTPConnection(sas.host, sas.port, timeout=10)
    try:
        connection.putrequest("POST", "/?A=%FF", skip_host=True)
        for name, value in sign_for(sas, "DescribeOnceTask").headers.items():
            connection.putheader(name, value.encode() + b"\xff" if name == "x-acs-action" else value)
        connection.endheaders()
        response = connection.getresponse()
        assert json.loads(response.read())["Code"] == "SignatureDoesNotMatch"
    finally:
        connection.close()


def test_a_header_sent_twice_counts_as_both(sas: Emulator) -> None:
    connection = HTTPConnection(sas.host, sas.port, timeout=10)
    request = sign_for(sas, "DescribeOnceTask", TaskType="X")
    try:
        connection.putrequest("POST", f"/?{request.query}", skip_host=True)
        for name, value in [*request.headers.items(), ("x-acs-date", "2000-01-01T00:00:00Z")]:
            connection.putheader(name, value)
        connection.endheaders()
        assert json.loads(connection.getresponse().read())["Code"] == "InvalidTimeStamp.Format"
    finally:
        connection.close()


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_leaves_no_answer(sas: Emulator, after: bool) -> None:
    sas.inject("GenerateOnceTask", Fault.reset(after=after))
    with pytest.raises(ConnectionError) as caught:
        ask(sas, "GenerateOnceTask", Param="{}", **KIND)
    # An orderly end would be told of by a class below this one.
    assert caught.type is ConnectionResetError
    assert len(sas.started) == int(after)
    assert sas.requests["GenerateOnceTask"] == 1


def test_an_answer_can_end_halfway(sas: Emulator) -> None:
    sas.inject("*", Fault.halfway())
    with pytest.raises(IncompleteRead) as caught:
        ask(sas, "DescribeOnceTask", TaskType="X")
    assert caught.value.partial
    assert caught.value.expected


def test_a_long_answer_arrives_whole(sas: Emulator) -> None:
    sas.inject("*", Fault.too_long())
    _, headers, body = send_raw(sas, sign_for(sas, "DescribeOnceTask"))
    assert len(body) == int(headers["content-length"]) == 8 * 1024 * 1024 + 1


def test_a_page_and_a_redirect_arrive(sas: Emulator) -> None:
    sas.inject("*", Fault.html())
    sas.inject("*", Fault.redirect("http://elsewhere.invalid/x"))
    status, headers, body = send_raw(sas, sign_for(sas, "DescribeOnceTask"))
    assert (status, headers["content-type"]) == (502, "text/html")
    assert b"<html>" in body
    status, headers, _ = send_raw(sas, sign_for(sas, "DescribeOnceTask"))
    assert (status, headers["location"]) == (302, "http://elsewhere.invalid/x")


@pytest.mark.parametrize("after", [False, True])
def test_a_delay_holds_the_answer_back(sas: Emulator, after: bool) -> None:
    sas.inject("GenerateOnceTask", Fault.delayed(600, after=after))
    # A real time-out, because it is the client's socket that waits.
    with pytest.raises(TimeoutError):
        send_raw(sas, sign_for(sas, "GenerateOnceTask", Param="{}", **KIND), timeout=0.2)
    assert len(sas.started) == int(after)


def test_a_short_delay_ends_with_the_true_answer(sas: Emulator) -> None:
    for after in (False, True):
        sas.inject("*", Fault.delayed(0.01, after=after))
        assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200


def test_control_wants_json_and_known_names(sas: Emulator) -> None:
    assert _control(sas, "POST", "reset", b"{}", "text/plain")[0] == 415
    assert _control(sas, "POST", "reset", b"nonsense")[0] == 422
    assert _control(sas, "POST", "reset", b"[]")[0] == 422
    assert _control(sas, "POST", "reset", b'{"unheard": 1}')[0] == 422
    assert _control(sas, "POST", "state", b"{}")[0] == 404
    assert _control(sas, "GET", "reset")[0] == 404
    assert _control(sas, "POST", "refuse_connections", b"{}")[0] == 422
    assert _control(sas, "POST", "refuse_connections", b'{"hours": 1}')[0] == 422
    assert _control(sas, "POST", "reset")[0] == 200


def test_control_reads_the_state(sas: Emulator) -> None:
    status, body = _control(sas, "GET", "state")
    assert status == 200
    assert json.loads(body)["keys"] == [sas.access_key_id]
    assert sas.access_key_secret.encode() not in body


def test_control_is_not_counted_as_a_request(sas: Emulator) -> None:
    _control(sas, "GET", "state")
    assert not sas.requests
    assert sas.log == []


@pytest.mark.parametrize("remote", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", ""])
@pytest.mark.parametrize(("method", "verb"), [("GET", "state"), ("POST", "reset")])
def test_control_refuses_callers_from_elsewhere(caller: Caller, remote: str, method: str, verb: str) -> None:
    with bind("127.0.0.1", 0) as sock:
        app = build_app(caller.account, Listener(account=caller.account, sock=sock, ssl_context=None))
        request = make_mocked_request(method, f"/_emulator/{verb}", {"Host": "127.0.0.1"}, app=app).clone(remote=remote)

        async def handle() -> web.StreamResponse:
            match = await app.router.resolve(request)
            match.add_app(app)
            match.freeze()
            request._match_info = match
            return await match.handler(request)

        caller.start()
        with pytest.raises(web.HTTPForbidden) as caught:
            asyncio.run(handle())
        assert "from its own machine alone" in (caught.value.text or "")
    assert caller.account.state()["started"]


def _control(
    sas: Emulator, method: str, verb: str, body: bytes = b"", content_type: str = "application/json"
) -> tuple[int, bytes]:
    connection = HTTPConnection(sas.host, sas.port, timeout=10)
    try:
        connection.request(method, f"/_emulator/{verb}", body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
