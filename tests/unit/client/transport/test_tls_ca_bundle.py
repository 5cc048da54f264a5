"""A CA bundle that hangs holds up nobody else, and one that is replaced is read again."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_aegis.client.errors import UnreachableError, UntrustedEndpointError
from airflow_provider_aegis.client.flows.exchange import Flow, Sleep
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.transport.nonblocking import open_transport
from airflow_provider_aegis.client.transport.tls import tls_context
from tests.unit.client.transport.drivers import Driver, Outcome, ask, service_at
from tests.unit.client.transport.loopback import Server, tls

# Far more than anything here needs; only what hangs takes as long.
HANG = 20.0


@contextmanager
def hanging(path: Path) -> Iterator[str]:
    """A file that nobody ever writes: who reads it waits, as on a mount whose server is gone."""
    os.mkfifo(path)
    try:
        yield str(path)
    finally:
        release(path)


def release(path: Path) -> None:
    """Let go of who reads a file that hangs, and see that all of them have gone."""
    deadline = time.monotonic() + HANG
    while any("certificate authorities" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        with path.open("rb+", buffering=0):  # opened for both it does not wait itself
            time.sleep(0.01)


def test_a_ca_bundle_that_hangs_is_given_up_and_named(driver: Driver, tmp_path: Path) -> None:
    with hanging(tmp_path / "bundle.pem") as bundle:
        config = service_at("https://tds.example", ca_bundle=bundle)
        outcomes = driver.run_flow(config, ask(config, times=3, connect_timeout=0.1))
        assert [type(outcome) for outcome in outcomes] == [UnreachableError] * 3
        assert f"(ca_bundle {bundle!r}) could not be read within 0.1 s" in str(outcomes[0])
        readers = [thread for thread in threading.enumerate() if "certificate authorities" in thread.name]
        assert len(readers) == 1, "what hangs is not begun again"


def test_a_ca_bundle_that_hangs_holds_up_no_other_connection(tmp_path: Path, certificate: Path) -> None:
    """Neither the triggers that start meanwhile, nor the threads that all of them share."""

    async def run(hung: str, address: str) -> None:
        good = service_at(f"https://{address}", ca_bundle=str(certificate))
        bad = service_at(f"https://{address}", ca_bundle=hung)

        async def wait() -> list[Outcome]:
            async with open_transport(bad) as transport:
                return await transport.run_flow(ask(bad, connect_timeout=HANG))

        waiting = [asyncio.create_task(wait()) for _ in range(50)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(HANG / 2), open_transport(good) as transport:
            (outcome,) = await transport.run_flow(ask(good))
            assert isinstance(outcome, Response)
            await asyncio.gather(*(asyncio.to_thread(int) for _ in range(50)))
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    with Server(context=tls(certificate)) as server, hanging(tmp_path / "bundle.pem") as bundle:
        began = time.monotonic()
        asyncio.run(run(bundle, server.address))
        assert time.monotonic() - began < HANG, "an event loop that ends does not wait for what hangs"


def replaced(bundle: Path, by: Path) -> None:
    """Replace a file as a secret that is mounted is."""
    fresh = bundle.with_suffix(".new")
    shutil.copy(by, fresh)
    fresh.replace(bundle)


def test_a_ca_bundle_that_was_replaced_is_read_again(
    driver: Driver, tmp_path: Path, certificate: Path, foreign_certificate: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    replaced(bundle, by=foreign_certificate)

    def flow() -> Flow[list[Outcome]]:
        before = yield from ask(config, times=2)
        replaced(bundle, by=certificate)
        yield Sleep(0)
        return [*before, *(yield from ask(config, times=2))]

    with Server(context=tls(certificate)) as server:
        config = service_at(f"https://{server.address}", ca_bundle=str(bundle))
        outcomes = driver.run_flow(config, flow())
    kinds = [UntrustedEndpointError, UntrustedEndpointError, UnreachableError, Response]
    assert [type(outcome) for outcome in outcomes] == kinds
    assert UnreachableError.transient, "the next attempt is made with what the file says now"
    assert len(server.requests) == 1


def test_who_comes_later_trusts_what_the_file_says_then(
    tmp_path: Path, certificate: Path, foreign_certificate: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    replaced(bundle, by=certificate)

    async def run(address: str) -> None:
        config = service_at(f"https://{address}", ca_bundle=str(bundle))
        async with open_transport(config) as first:
            (outcome,) = await first.run_flow(ask(config))
            assert isinstance(outcome, Response)
            replaced(bundle, by=foreign_certificate)
            async with open_transport(config) as second:
                (outcome,) = await second.run_flow(ask(config))
                assert isinstance(outcome, UntrustedEndpointError)

    with Server(context=tls(certificate)) as server:
        asyncio.run(run(server.address))


def test_a_ca_bundle_is_read_once_for_all_as_long_as_it_stays_the_same(tmp_path: Path, certificate: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    replaced(bundle, by=certificate)
    context = tls_context(str(bundle))
    assert tls_context(str(bundle)) is context
    replaced(bundle, by=certificate)
    assert tls_context(str(bundle)) is not context


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_another_file_of_the_environment_counts_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: Path, name: str
) -> None:
    usual = tls_context(None)
    monkeypatch.setenv(name, str(certificate))
    assert tls_context(None) is not usual
