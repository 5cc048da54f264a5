"""The emulator as a context manager: it serves from a thread of its own."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any

from airflow_provider_aegis.client.config import Clock
from airflow_provider_aegis.client.protocol.endpoints import is_loopback
from airflow_provider_aegis.emulator.account import Account
from airflow_provider_aegis.emulator.authentication import Key
from airflow_provider_aegis.emulator.control import Controls, run_verb
from airflow_provider_aegis.emulator.listener import Listener, bind
from airflow_provider_aegis.emulator.settings import Settings, changed

FAKE_KEYS = {"emulator-key": "emulator-secret"}


class Emulator(Controls):
    """A Security Center on loopback, for as long as the ``with`` block lasts.

    :param keys: secrets, or :class:`Key` objects, by access key id; one fake pair where not given.
    :param port: 0 for a free one.
    :param allow_remote: whether ``host`` may be another address than loopback; control stays on loopback.
    :param ssl_context: serves over TLS with it.
    :param clock: what time it is; the time-outs and delays of connections pass in real time whatever it says.
    :param region: the region that a connection to it names.
    :param settings: of :class:`Settings`, as ``seconds=0.5`` or ``outcome="FAIL"``.
    :raises ValueError: if a setting is none, or the host is not allowed.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str | Key] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        clock: Clock = time,
        region: str = "cn-shanghai",
        **settings: Any,
    ) -> None:
        if not (allow_remote or is_loopback(host)):
            raise ValueError(f"{host} is not loopback: an emulator is for this machine, unless remote use is allowed")
        self.host, self.port = host, port
        self.keys = {name: key if isinstance(key, Key) else Key(key) for name, key in (keys or FAKE_KEYS).items()}
        self._ssl_context = ssl_context
        self._region = region
        self._account = Account(keys=self.keys, settings=changed(Settings(), **settings), clock=clock)
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._listener: Listener

    def __enter__(self) -> Emulator:
        sock = bind(self.host, self.port)
        self.port = sock.getsockname()[1]
        self._listener = Listener(account=self._account, sock=sock, ssl_context=self._ssl_context)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="aegis-emulator", daemon=True)
        self._thread.start()
        try:
            self._await(self._listener.open())
        except BaseException:  # whatever it is, the thread must end; it is raised again
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def url(self) -> str:
        """The address that it serves at."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self._scheme}://{name}:{self.port}"

    @property
    def access_key_id(self) -> str:
        """The first key's id."""
        return next(iter(self.keys))

    @property
    def access_key_secret(self) -> str:
        """The first key's secret."""
        return self.keys[self.access_key_id].secret

    def connection_json(self, **extra: Any) -> str:
        """Return an Airflow connection to it, as the value of an ``AIRFLOW_CONN_…`` variable.

        :param extra: further extras of the connection.
        """
        token = self.keys[self.access_key_id].token
        temporary = {"security_token": token} if token else {}
        return json.dumps(
            {
                "conn_type": "aegis",
                "login": self.access_key_id,
                "password": self.access_key_secret,
                "host": self.url.rpartition(":")[0],
                "port": self.port,
                "extra": {"region": self._region, **temporary, **extra},
            }
        )

    def refuse_connections(self, seconds: float | None = None) -> None:
        """Refuse connections and close those that are open.

        :param seconds: for how long; ``None`` until :meth:`accept_connections`.
        """
        self._await(self._listener.refuse(seconds))

    def accept_connections(self) -> None:
        """Take connections again, at the same port."""
        self._await(self._listener.accept())

    @property
    def _scheme(self) -> str:
        return "https" if self._ssl_context else "http"

    def _perform(self, verb: str, **arguments: Any) -> Any:
        return run_verb(self._account, verb, arguments)

    def _await(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self) -> None:
        # Its end cancels what still runs and closes the loop.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()

    def _end(self) -> None:
        try:
            self._await(self._listener.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
