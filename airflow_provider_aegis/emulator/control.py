"""Control over an emulator: the same methods in its own process and, over HTTP, from another one."""

from __future__ import annotations

import inspect
import json
import ssl
import urllib.request
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

from airflow_provider_aegis.emulator.account import Account
from airflow_provider_aegis.emulator.faults import Fault
from airflow_provider_aegis.emulator.http import Received
from airflow_provider_aegis.emulator.tasks import Snapshot

PREFIX = "/_emulator/"

READS: dict[str, Callable[..., Any]] = {"state": Account.state, "log": Account.log}
WRITES: dict[str, Callable[..., Any]] = {
    "inject": Account.inject,
    "heal": Account.heal,
    "set": Account.set,
    "finish": Account.finish,
    "add_key": Account.add_key,
    "revoke": Account.revoke,
    "restore": Account.restore,
    "reset": Account.reset,
}


def run_verb(account: Account, verb: str, arguments: dict[str, Any]) -> Any:
    """Do what one of the verbs says.

    :param arguments: what JSON can hold, as is what is returned.
    :raises ValueError: if they are not the verb's arguments.
    """
    method = {**READS, **WRITES}[verb]
    try:
        inspect.signature(method).bind(account, **arguments)
    except TypeError as error:
        raise ValueError(f"{verb}: {error}") from error
    return method(account, **arguments)


class Controls(ABC):
    """What can be asked of an emulator and done to it."""

    @abstractmethod
    def _perform(self, verb: str, **arguments: Any) -> Any: ...

    @abstractmethod
    def refuse_connections(self, seconds: float | None = None) -> None:
        """Close the listening socket and every connection, so that new ones are refused.

        :param seconds: for how long; ``None``, until told otherwise, only in the emulator's own process.
        """

    @property
    def state(self) -> dict[str, Any]:
        """Counters, tasks, the ids of the keys, and settings."""
        state: dict[str, Any] = self._perform("state")
        return state

    @property
    def requests(self) -> Counter[str]:
        """How many requests came for each action, refused ones included."""
        return Counter(self.state["requests"])

    @property
    def started(self) -> list[str]:
        """The ids of the tasks that were started, in their order."""
        return list(self.state["started"])

    @property
    def cancelled(self) -> list[str]:
        """The ids of the tasks that ran and were cancelled."""
        return list(self.state["cancelled"])

    @property
    def running(self) -> list[str]:
        """The ids of the tasks that run now."""
        return list(self.state["running"])

    @property
    def tasks(self) -> dict[str, Snapshot]:
        """Every task by its id, newest first."""
        return {task["task_id"]: Snapshot(**task) for task in self.state["tasks"]}

    @property
    def virus_scans(self) -> list[dict[str, str]]:
        """The parameters of the virus scans that were started; the service gives them no id."""
        return list(self.state["virus_scans"])

    @property
    def log(self) -> list[Received]:
        """Every request that came, oldest first."""
        return [Received(**line) for line in self._perform("log")]

    def inject(
        self,
        action: str,
        fault: Fault,
        *,
        times: int | None = None,
        seconds: float | None = None,
        probability: float | None = None,
    ) -> None:
        """Let something go wrong; without any limit, with the next request.

        :param action: the operation that it hits, ``*`` for any.
        :param times: how many requests it hits.
        :param seconds: for how long it goes on.
        :param probability: the share of requests that it hits, 0 to 1.
        """
        self._perform(
            "inject", action=action, fault=fault.to_json(), times=times, seconds=seconds, probability=probability
        )

    def heal(self) -> None:
        """Drop every fault that was injected."""
        self._perform("heal")

    def set(self, **settings: Any) -> None:
        """Change settings, named as in :class:`Settings`.

        :raises ValueError: if there is no such setting, or its value is of another kind.
        """
        self._perform("set", **settings)

    def finish(self, task_id: str, outcome: str = "SUCCESS") -> None:
        """End a task now, or change the word with which it has ended.

        :param outcome: its status from then on.
        :raises ValueError: if there is no such task.
        """
        self._perform("finish", task_id=task_id, outcome=outcome)

    def add_key(
        self, access_key_id: str, secret: str, *, token: str | None = None, seconds: float | None = None
    ) -> None:
        """Make an access key known, in place of one of the same id.

        :param token: the STS token that has to come with it.
        :param seconds: how long the token is good; 0 if it has expired.
        """
        self._perform("add_key", access_key_id=access_key_id, secret=secret, token=token, seconds=seconds)

    def revoke(self, access_key_id: str) -> None:
        """Disable an access key.

        :raises ValueError: if there is no such key.
        """
        self._perform("revoke", access_key_id=access_key_id)

    def restore(self, access_key_id: str) -> None:
        """Enable a revoked access key again.

        :raises ValueError: if there is no such key.
        """
        self._perform("restore", access_key_id=access_key_id)

    def reset(self) -> None:
        """Forget tasks, counters, log and faults, and have the first keys and settings again."""
        self._perform("reset")


class Control(Controls):
    """Controls an emulator in another process on this machine.

    :param url: its address, as ``http://127.0.0.1:8765``.
    :param ssl_context: for one that is served over TLS.
    :param timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, *, ssl_context: ssl.SSLContext | None = None, timeout: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        # No proxy that the environment names leads to this machine's loopback.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl_context)
        )

    def refuse_connections(self, seconds: float | None = None) -> None:
        """Refuse connections for so many seconds."""
        self._perform("refuse_connections", seconds=seconds)

    def _perform(self, verb: str, **arguments: Any) -> Any:
        request = urllib.request.Request(
            f"{self._url}{PREFIX}{verb}",
            data=None if verb in READS else json.dumps(arguments).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                reason = error.read().decode("utf-8", "replace")
            if error.code == 422:
                raise ValueError(reason) from None
            raise ConnectionError(f"the emulator's control answered {error.code}: {reason}") from None
