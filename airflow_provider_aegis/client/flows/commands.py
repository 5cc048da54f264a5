"""What a flow wants done. The drivers in ``transport`` do it, and send back what came of it."""

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
    """Wanted: this request on the wire. Comes back as :class:`Answer`, or as the error that stood in its way.

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
    """Wanted: nothing, for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Wanted: credentials, others than those that were refused. Comes back as :class:`Credentials`, or as an error.

    :param seconds: how long the caller can wait for them.
    """

    refused: Credentials | None = None
    seconds: float = float("inf")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Wanted: what is in a small file. Comes back as :class:`Content`, or as the error of the operating system.

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
    """Wanted: that these texts are shown in no log from now on."""

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
    """Wanted: what came of a fetch that another caller makes.

    Comes back as :class:`Credentials`, as an error, or as ``None`` where there is nothing to wait for: it was broken
    off, or it cannot go on before its own thread does.

    :param seconds: how long to wait.
    """

    fetch: Fetch
    seconds: float = float("inf")


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Wanted: what these flows return, performed at the same time.

    Comes back as a list in their order. What a flow raised stands in its place; after the first error none is begun
    any more, and those that are under way may be given up.
    """

    flows: Sequence[Flow[Any]]


T = TypeVar("T")
Command: TypeAlias = Send | Sleep | Authenticate | ReadFile | Mask | Join | SideBySide
Reply: TypeAlias = (
    Response | Credentials | SecurityCenterError | ConfigurationError | Content | OSError | list[Any] | None
)
Flow: TypeAlias = Generator[Command, Reply, T]


def bounded(flow: Flow[T], seconds: float, now: Callable[[], float]) -> Flow[T]:
    """Perform a flow whose requests and joins take no longer than that in all.

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
