"""The commands that a flow yields. The drivers in ``transport`` carry them out and send back the reply."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.protocol.operations import VERSION
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials, signed_headers


@dataclass(frozen=True, slots=True)
class Signature:
    """What the headers of one attempt are signed with, once the wire form of the request is known.

    :param version: version of the API that the action belongs to.
    """

    action: str
    date: str
    nonce: str
    credentials: Credentials
    version: str = VERSION

    def headers(
        self, *, method: str, host: str, path: str, query: str, body: bytes = b"", content_type: str | None = None
    ) -> dict[str, str]:
        """Sign a request as it goes onto the wire.

        :param query: the canonical query string.
        :param content_type: of the body, where there is one.
        """
        return signed_headers(
            method=method,
            host=host,
            path=path,
            query=query,
            action=self.action,
            version=self.version,
            date=self.date,
            nonce=self.nonce,
            credentials=self.credentials,
            body=body,
            content_type=content_type,
        )


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request. The reply is a :class:`Response`, or the error that prevented one.

    The kept connection carries requests to the service's own endpoint; one to another host gets a connection of its
    own, by the same settings.

    :param signature: ``None`` for a request that is not signed.
    :param seconds: for all of it; an answer that goes on for longer is broken off.
    :param headers: besides those of every request, with names in lower case.
    :param direct: not through the proxy that the environment may name, and on a connection of its own.
    """

    url: str = field(repr=False)
    signature: Signature | None
    connect_timeout: float
    read_timeout: float
    method: str = "POST"
    seconds: float = float("inf")
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    body: bytes = field(default=b"", repr=False)
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Get credentials, other than the refused ones. The reply is :class:`Credentials`, or an error.

    :param seconds: how long the caller can wait for them.
    """

    refused: Credentials | None = None
    seconds: float = float("inf")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Read a small file. The reply is :class:`Content`, or the error of the operating system.

    :param most: bytes; of a longer file that many and one more are read.
    """

    path: str
    most: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a file; its ``repr`` does not show it."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mask:
    """Mask these secrets in every log from now on."""

    secrets: Collection[Secret]


@dataclass(frozen=True, slots=True, eq=False)
class Fetch:
    """Credentials that one caller fetches for others as well.

    :ivar done: what came of it, ``None`` if it was broken off.
    :ivar process: the process that fetches.
    :ivar thread: the thread that does.
    """

    done: Future[Credentials | Exception | None] = field(default_factory=Future, repr=False)
    process: int = field(default_factory=os.getpid)
    thread: int = field(default_factory=threading.get_ident)

    def __post_init__(self) -> None:
        self.done.set_running_or_notify_cancel()  # from now on no caller that gives up can cancel it


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for a fetch that another caller makes.

    The reply is :class:`Credentials`, an error, or ``None`` where waiting is in vain: the fetch was broken off, or it
    cannot go on before the thread that asks does.

    :param seconds: how long to wait.
    """

    fetch: Fetch
    seconds: float = float("inf")


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Run these flows at the same time.

    The reply is the list of their results, in their order; an error stands in the place of the flow that raised it.
    After the first error no further flow begins, and those under way may be given up.
    """

    flows: Sequence[Flow[Any]]


T = TypeVar("T")
Command: TypeAlias = Send | Sleep | Authenticate | ReadFile | Mask | Join | SideBySide
Reply: TypeAlias = (
    Response | Credentials | SecurityCenterError | ConfigurationError | Content | OSError | list[Any] | None
)
Flow: TypeAlias = Generator[Command, Reply, T]


def bounded(flow: Flow[T], seconds: float, now: Callable[[], float]) -> Flow[T]:
    """Run a flow whose requests and joins together take no longer than so many seconds.

    :param now: monotonic seconds.
    """
    until = now() + seconds
    reply: Reply = None
    try:
        while True:
            command = flow.send(reply)
            left = max(0.1, until - now())
            if isinstance(command, Send):
                connect, read = min(command.connect_timeout, left), min(command.read_timeout, left)
                shorter = min(command.seconds, left)
                command = replace(command, connect_timeout=connect, read_timeout=read, seconds=shorter)
            elif isinstance(command, Join):
                command = replace(command, seconds=min(command.seconds, left))
            reply = yield command
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        flow.close()
