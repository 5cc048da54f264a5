"""The scan that all reads are about: who serves it, and how a process is told where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

KIND = "VUL_CHECK_TASK"


@dataclass(frozen=True)
class Scan:
    """A running scan and where to read of it.

    :param host: name and port.
    :param ca: path of the certificate authority where it is served over TLS.
    """

    host: str
    key_id: str
    secret: str
    ca: str | None
    task_id: str = ""

    @property
    def scheme(self) -> str:
        return "https" if self.ca else "http"


def serve(certificate: str | None) -> Iterator[dict[str, Any]]:
    """Serve a Security Center on which a scan runs that tells no progress, and yield the scan.

    :param certificate: path of a certificate with its key, for TLS.
    """
    from airflow_provider_aegis.client.flows.exchange import exchange
    from airflow_provider_aegis.client.jobs.once_task import generate_once_task
    from airflow_provider_aegis.client.transport.blocking import BlockingTransport
    from airflow_provider_aegis.emulator import Emulator
    from tests.benchmarks.ours import service_of
    from tests.unit.client.transport.loopback import tls

    context = tls(Path(certificate)) if certificate else None
    with Emulator(seconds=3600, requests_per_second=0, report_progress=False, ssl_context=context) as sas:
        scan = Scan(f"{sas.host}:{sas.port}", sas.access_key_id, sas.access_key_secret, certificate)
        config = service_of(scan)
        with BlockingTransport(config) as transport:
            transport.run_flow(exchange(config, generate_once_task(once_task_type=KIND)))
        yield asdict(replace(scan, task_id=sas.started[0]))
