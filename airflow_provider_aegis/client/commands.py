"""What a conversation wants done. The drivers in ``transport`` do it, and send back what came of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.operations import VERSION
from airflow_provider_aegis.client.signing import Credentials, signed_headers


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
    :param direct: for another host: not through the proxy that the environment may name.
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
    """Wanted: credentials, others than those that were refused. Comes back as :class:`Credentials`, or as an error."""

    refused: Credentials | None = None


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Wanted: the bytes of a small file. Comes back as ``bytes``, or as the error of the operating system.

    :param most: bytes; of a longer file that many and one more are read.
    """

    path: str
    most: int


T = TypeVar("T")
Command: TypeAlias = Send | Sleep | Authenticate | ReadFile
Reply: TypeAlias = Answer | Credentials | SecurityCenterError | ConfigurationError | bytes | OSError | None
Conversation: TypeAlias = Generator[Command, Reply, T]
