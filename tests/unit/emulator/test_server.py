from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from airflow_provider_aegis.client.protocol.endpoints import resolve_endpoint
from airflow_provider_aegis.emulator import Control, Emulator, Fault, Key, ManualClock
from tests.unit.emulator.support import KIND, ask, send_raw, sign_for


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_it_says_where_it_is_and_what_its_keys_are() -> None:
    with Emulator(keys={"first": "secret", "second": Key("other")}) as sas:
        assert (sas.host, sas.access_key_id, sas.access_key_secret) == ("127.0.0.1", "first", "secret")
        assert sas.url == f"http://127.0.0.1:{sas.port}"
        assert ask(sas, "DescribeOnceTask", TaskType="X").status == 200


def test_it_has_a_fake_pair_of_its_own() -> None:
    sas = Emulator()
    assert sas.access_key_id
    assert sas.access_key_secret


def test_its_connection_leads_to_it() -> None:
    with Emulator(keys={"id": "secret"}, region="cn-hangzhou") as sas:
        connection = json.loads(sas.connection_json(poll=3))
        assert connection == {
            "conn_type": "aegis",
            "login": "id",
            "password": "secret",
            "host": "http://127.0.0.1",
            "port": sas.port,
            "extra": {"region": "cn-hangzhou", "poll": 3},
        }
        endpoint = resolve_endpoint(
            region=connection["extra"]["region"], host=connection["host"], port=connection["port"]
        )
        assert endpoint.url == f"{sas.url}/"


def test_its_connection_carries_the_token_of_temporary_keys() -> None:
    sas = Emulator(keys={"id": Key("secret", token="token")})
    assert json.loads(sas.connection_json())["extra"] == {"region": "cn-shanghai", "security_token": "token"}


def test_tasks_end_in_the_time_of_its_clock() -> None:
    clock = ManualClock()
    with Emulator(seconds=0.5, outcome="TIMEOUT", clock=clock) as sas:
        task_id = ask(sas, "GenerateOnceTask", Param="{}", **KIND).payload["TaskId"]
        assert sas.running == [task_id]
        clock.advance(0.5)
        payload = ask(sas, "GetOnceTaskResultInfo", TaskId=task_id, **KIND).payload
        assert payload["TaskInfo"] == {"Status": "TIMEOUT"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "example.invalid"])
def test_it_stays_on_loopback_unless_it_may_leave(host: str) -> None:
    with pytest.raises(ValueError, match="is not loopback"):
        Emulator(host=host)
    assert Emulator(host=host, allow_remote=True).host == host


def test_a_setting_that_is_none_is_refused_before_anything_starts() -> None:
    before = _threads()
    with pytest.raises(ValueError, match="'duration' is not a setting"):
        Emulator(duration=3)
    assert _threads() == before


def test_a_port_that_is_taken_is_an_error_and_leaves_no_thread(sas: Emulator) -> None:
    before = _threads()
    with pytest.raises(OSError), Emulator(port=sas.port):
        pass
    assert _threads() == before


def test_a_failure_while_opening_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: object) -> None:
        raise OSError("no room")

    before = _threads()
    monkeypatch.setattr("airflow_provider_aegis.emulator.listener.Listener.accept", fail)
    with pytest.raises(OSError, match="no room"), Emulator():
        pass
    assert _threads() == before


def test_it_leaves_neither_thread_nor_socket_nor_task_nor_warning(caplog: pytest.LogCaptureFixture) -> None:
    before = _threads()
    with Emulator() as sas:
        idle = [socket.create_connection((sas.host, sas.port)) for _ in range(3)]
        ask(sas, "DescribeOnceTask", TaskType="X")
        sas.inject("*", Fault.delayed(600))
        with pytest.raises(TimeoutError):
            send_raw(sas, sign_for(sas, "DescribeOnceTask"), timeout=0.1)
        host, port = sas.host, sas.port
    for connection in idle:
        connection.close()
    assert _threads() == before
    with socket.socket() as client:
        assert client.connect_ex((host, port)) != 0
    # What is still open would be reported now: a socket as a warning, which fails the test, a task in the log.
    gc.collect()
    assert [record.message for record in caplog.records] == []


def test_what_happened_can_be_read_when_it_is_over() -> None:
    with Emulator() as sas:
        ask(sas, "GenerateOnceTask", Param="{}", **KIND)
    assert sas.requests["GenerateOnceTask"] == 1
    assert len(sas.started) == 1


def test_two_stand_side_by_side() -> None:
    with Emulator() as one, Emulator() as other:
        ask(one, "DescribeOnceTask", TaskType="X")
        assert one.port != other.port
        assert (one.requests.total(), other.requests.total()) == (1, 0)


def test_it_can_be_used_from_within_an_event_loop() -> None:
    async def use() -> int:
        with Emulator() as sas:
            await asyncio.to_thread(ask, sas, "DescribeOnceTask", TaskType="X")
            return sas.requests.total()

    assert asyncio.run(use()) == 1


def test_many_threads_may_ask_and_control_at_a_time() -> None:
    with Emulator(requests_per_second=0, running_limit=1000, repeat_check="off") as sas, ThreadPoolExecutor(8) as pool:

        def work(number: int) -> int:
            sas.set(total_count=number)
            return ask(sas, "GenerateOnceTask", Param="{}", **KIND).status

        assert set(pool.map(work, range(100))) == {200}
        assert len(set(sas.started)) == 100
        assert sas.requests["GenerateOnceTask"] == len(sas.log) == 100


def test_it_serves_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    before = _threads()
    with Emulator(ssl_context=server_tls) as sas:
        assert sas.url.startswith("https://")
        assert json.loads(sas.connection_json())["host"] == "https://127.0.0.1"
        control = Control(sas.url, ssl_context=client_tls)
        assert control.state["keys"] == [sas.access_key_id]
        with urlopen(f"{sas.url}/_emulator/log", context=client_tls, timeout=10) as answer:
            assert json.load(answer) == []
        sas.inject("*", Fault.reset())
        with pytest.raises(OSError), urlopen(sas.url, context=client_tls, timeout=10):
            pass
        control.refuse_connections(600)
        with pytest.raises(OSError, match="refused"):
            control.reset()
    assert _threads() == before
    gc.collect()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulator")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "emulator.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))
