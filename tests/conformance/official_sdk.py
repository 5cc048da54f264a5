"""The official SDK's 962 operations: what each puts onto the wire for generated values of all its parameters."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

ENDING = "_with_options"
# What encoders disagree on.
ODD_TEXT = "a b+c/d~e*f%20'g\"&=?#,ü"
NESTED = {"l": [1, "b", {"x": True}], "n": 2, "a b": None, "d": {}}


class SentError(BaseException):
    """Ends a call of the SDK where its request would go onto the wire; it retries on nothing that is no Exception."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


class Wire:
    """Stands in for the session of requests that the SDK sends with."""

    def send(self, request: Any, **_: Any) -> None:
        raise SentError(request)


@dataclass(frozen=True)
class Sent:
    """A request as it would have been on the wire."""

    action: str
    method: str
    query: list[tuple[str, str]]
    body: bytes
    content_type: str | None


@contextmanager
def captured() -> Iterator[Any]:
    """Return a client of the SDK whose requests end before they are sent."""
    from alibabacloud_sas20181203.client import Client
    from alibabacloud_tea_openapi.utils_models import Config
    from darabonba.core import DaraCore

    client = Client(Config(access_key_id="id", access_key_secret="secret", endpoint="tds.cn-shanghai.aliyuncs.com"))
    with mock.patch.object(DaraCore, "_get_session", return_value=Wire()):
        yield client


def methods(client: Any) -> list[str]:
    """Name the methods of all operations."""
    return [name for name in dir(client) if name.endswith(ENDING)]


def send(client: Any, method: str, request: Any) -> Sent:
    """Call an operation.

    :param request: ``None`` for one that has no parameters.
    """
    from darabonba.runtime import RuntimeOptions

    arguments = [] if request is None else [request]
    try:
        getattr(client, method)(*arguments, RuntimeOptions())
    except SentError as sent:
        prepared = sent.request
    query, body = urlsplit(prepared.url).query, (prepared.body or b"").decode()
    return Sent(
        prepared.headers["x-acs-action"],
        prepared.method,
        sorted(parse_qsl(_lower_booleans(query), keep_blank_values=True)),
        _lower_booleans(body).encode(),
        prepared.headers.get("content-type") if body else None,  # the SDK names it for an empty body too
    )


def _lower_booleans(form: str) -> str:
    """The vendor's SDKs for other languages send ``true``, and the service takes both."""
    return re.sub("=(True|False)(?=&|$)", lambda found: found[0].lower(), form)


def request_class(client: Any, method: str) -> type | None:
    """Return the model of an operation's parameters, ``None`` for one that has none."""
    from alibabacloud_sas20181203 import models

    first = next(iter(inspect.signature(getattr(client, method)).parameters.values()))
    return None if first.name == "runtime" else getattr(models, str(first.annotation).removeprefix("main_models."))


def make(model: type | None, *, value: Callable[[str, type], Any]) -> Any:
    """Make a request with a value for each of its fields, and for those of the models in it.

    :param value: of a field that is a text, a number or a boolean.
    """
    return model and model(**{name: _value(name, kind, value) for name, kind in _fields(model).items()})


def filled(name: str, kind: type) -> Any:
    """Return an odd value of a kind."""
    return {str: f"{name} {ODD_TEXT}", int: 7, bool: len(name) % 2 == 0, float: 1.5}[kind]


def empty(_: str, kind: type) -> Any:
    """Return the value of a kind that is most like none."""
    return kind()


@cache
def _fields(model: type) -> dict[str, Any]:
    hints = typing.get_type_hints(vars(model)["__init__"])
    return {name: hints[name] for name in inspect.signature(model).parameters}


def _value(name: str, kind: Any, value: Callable[[str, type], Any]) -> Any:
    inner = typing.get_args(kind)
    match typing.get_origin(kind) or kind:
        case typing.Any:
            return value(name, str)
        case container if container in (list, dict) and value is empty:
            return container()
        case container if container is list:
            return [_value(f"{name}{at}", inner[0], value) for at in (1, 2)]
        case container if container is dict:
            return {
                "ü": _value(name, inner[1], value),
                "k": NESTED if inner[1] is Any else _value("k", inner[1], value),
            }
        case scalar if scalar in (str, int, bool, float):
            return value(name, scalar)
    return make(kind, value=value)
