"""What the blocking transport promises beside what both do."""

from __future__ import annotations

import gc
from pathlib import Path

import requests

from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.transport.blocking import BlockingTransport, SignatureAuth
from tests.fakes import signature_of
from tests.unit.client.transport.drivers import KEYS, ask, request, service_at
from tests.unit.client.transport.loopback import Server, tls


def test_a_transport_can_be_used_again_and_again_until_it_is_closed(server: Server) -> None:
    config = service_at(f"http://{server.address}")
    with BlockingTransport(config) as transport:
        for _ in range(3):
            transport.run_flow(ask(config))
        assert not server.closed.acquire(blocking=False)
    assert [received.connection for received in server.requests] == [1, 1, 1]
    assert server.closed.acquire(timeout=5)


def test_closing_twice_is_no_harm(server: Server) -> None:
    config = service_at(f"http://{server.address}")
    transport = BlockingTransport(config)
    transport.run_flow(ask(config))
    transport.close()
    transport.close()


def test_nothing_is_left_open(server: Server, certificate: Path) -> None:
    """pytest makes an error of the warning that a forgotten socket is."""
    with Server(context=tls(certificate)) as secured:
        for address, bundle in ((f"http://{server.address}", None), (f"https://{secured.address}", str(certificate))):
            config = service_at(address, ca_bundle=bundle)
            with BlockingTransport(config) as transport:
                (outcome,) = transport.run_flow(ask(config))
            assert isinstance(outcome, Response)
            del transport
            gc.collect()


def test_the_signature_covers_the_request_as_requests_has_prepared_it() -> None:
    """Signed is what requests is about to send, not what it was told."""
    signature = signature_of(request(service_at("http://127.0.0.1:8080")))
    prepared = requests.Request("POST", "http://127.0.0.1:8080/?B=2&A=ä", auth=SignatureAuth(signature)).prepare()
    expected = signature.headers(method="POST", host="127.0.0.1:8080", path="/", query="B=2&A=%C3%A4")
    assert {name: prepared.headers[name] for name in expected} == expected
    assert KEYS.access_key_id in prepared.headers["authorization"]
