"""A process that is forked shares nothing with its parent that would mix up their requests."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aegis.client.config import JITTER
from airflow_provider_aegis.client.flows.exchange import exchange
from airflow_provider_aegis.client.protocol.operations import call
from airflow_provider_aegis.client.transport.blocking import BlockingTransport
from tests.unit.client.transport.drivers import service_at
from tests.unit.client.transport.loopback import Act, Server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_children(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Return what the work comes to in processes that are forked off and run at the same time."""
    pipes = []
    for child in range(number):
        reader, writer = os.pipe()
        process = os.fork()
        if not process:
            with os.fdopen(writer, "w") as pipe:
                try:
                    json.dump(work(child), pipe)
                except BaseException as error:  # noqa: BLE001  (a child must not go on with the parent's tests)
                    json.dump(repr(error), pipe)
            os._exit(0)
        os.close(writer)
        pipes.append((process, reader))
    results = []
    for process, reader in pipes:
        with os.fdopen(reader) as pipe:
            results.append(json.load(pipe))
        os.waitpid(process, 0)
    return results


def slow_echo() -> Act:
    """Answer with the target of the request, after a moment in which others ask."""

    def act(connection: Any, request: Any) -> None:
        time.sleep(0.01)
        body = json.dumps({"RequestId": request.target}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    return act


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_processes_forked_from_one_that_has_a_connection_are_given_their_own_answers() -> None:
    with Server(slow_echo()) as server:
        config = service_at(f"http://{server.address}")
        with BlockingTransport(config) as transport:

            def answers(who: object) -> list[bool]:
                return [
                    str(transport.run_flow(exchange(config, call("GetX", Who=f"{who}-{n}")))["RequestId"]).endswith(
                        f"Who={who}-{n}"
                    )
                    for n in range(10)
                ]

            assert all(answers("parent"))
            results = in_children(3, answers)
            assert results == [[True] * 10] * 3
            assert all(answers("parent")), "and the parent goes on with the connection it had"
        connections = {request.connection for request in server.requests if "Who=parent" in request.target}
    assert connections == {1}


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_each_process_that_is_forked_waits_by_a_jitter_of_its_own() -> None:
    """Else all of them would ask again at the same moment."""
    draws = in_children(4, lambda _: JITTER.random())
    assert len({*draws, JITTER.random()}) == 5
