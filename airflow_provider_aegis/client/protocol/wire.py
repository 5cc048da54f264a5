"""How the parameters of an operation go onto the wire: in the query or in the body, flat or as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.signing import NO_LISTS, canonical_query, flatten

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireForm:
    """The form of one operation's request.

    :param method: of HTTP.
    :param body: parameters that go into the body, as a form; all others go into the query.
    :param json: parameters whose list or object goes as JSON text.
    :param commas: parameters whose list goes as one text, with commas between the items.
    """

    method: str = "POST"
    body: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    commas: tuple[str, ...] = ()

    def encode(self, params: Mapping[str, Any]) -> tuple[str, bytes]:
        """Return the canonical query string and the body.

        :raises ConfigurationError: naming a parameter that has no form on the wire.
        """
        flat = flatten({name: self._text(name, value) for name, value in params.items()})
        body = {name: text for name, text in flat.items() if name.partition(".")[0] in self.body}
        query = {name: text for name, text in flat.items() if name not in body}
        return canonical_query(query), urlencode(sorted(body.items())).encode()

    def _text(self, name: str, value: Any) -> Any:
        """Return the text of a list or an object that goes as one; any other value as it is."""
        if name in self.json and _is_list_or_object(value):
            return _json_text(name, value)
        if name in self.commas and _is_list_or_object(value) and not isinstance(value, Mapping):
            return ",".join(flatten({f"{name}.{at}": item for at, item in enumerate(value, start=1)}).values())
        return value


def _is_list_or_object(value: object) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, NO_LISTS)


def _json_text(name: str, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be written as JSON: {error}.") from error


def _plain(value: object) -> Any:
    if _is_list_or_object(value):
        return dict(value) if isinstance(value, Mapping) else list(value)  # type: ignore[call-overload]
    raise TypeError(f"{type(value).__name__} is not a string, number, list or object")
