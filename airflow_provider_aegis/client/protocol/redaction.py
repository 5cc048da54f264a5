"""Makes text from outside fit for logs and errors: one line, no secrets, nothing that cannot be stored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from airflow_provider_aegis.client.protocol.secret import Secret

LONGEST = 500
LONGEST_ADDRESS = 2000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_VENDOR_PAGE = re.compile(r"https://([a-z0-9-]+\.)*(aliyun|alibabacloud)\.com([/?#]|$)")
# The form of the Authorization header and of the queries of STS, possibly percent-encoded.
_SIGNATURE = re.compile(r"""(signature(?:=|%(?:25)*3d))[^\s,;&'"]+""", re.IGNORECASE)


def printable(value: object, longest: int = LONGEST) -> str:
    """Return a value's text on one line: control characters are escaped, a long text is cut.

    :param longest: characters to keep.
    """
    text = str(value)[: longest + 1]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return text if len(text) <= longest else f"{text[:longest]}…"


def storable(text: str) -> str:
    """Return a text with ``�`` in place of each lone surrogate, which UTF-8 cannot encode, and NUL, which PostgreSQL
    refuses in JSON.
    """
    return _UNSTORABLE.sub("\ufffd", text)


def without(text: str, secrets: Iterable[Secret | str | None]) -> str:
    """Return a text as :func:`masked` does, and without signatures.

    It is for errors, in which services also repeat earlier requests.
    """
    return _SIGNATURE.sub(r"\1***", masked(text, secrets))


def masked(text: str, secrets: Iterable[Secret | str | None]) -> str:
    """Return a text with ``***`` in place of secrets.

    :param secrets: they are found as they are, percent-encoded any number of times, and escaped as in JSON.
    """
    for secret in filter(None, secrets):
        text = _pattern(secret).sub("***", text)
    return text


@lru_cache(maxsize=64)
def _pattern(secret: Secret | str) -> re.Pattern[str]:
    return re.compile("".join(map(_either_way, secret.reveal() if isinstance(secret, Secret) else secret)))


def _either_way(char: str) -> str:
    """Return a pattern of a character, plain, percent-encoded, or escaped as in JSON."""
    if char.isascii() and char.isalnum():
        return char
    encoded = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    return rf"(?:\\{{0,8}}{re.escape(char)}|(?i:{encoded}|\\{{1,8}}u{ord(char):04x}))"


def is_vendor_page(address: str) -> bool:
    """Tell whether the address in an answer is a page on the vendor's own sites."""
    proper = len(address) <= LONGEST_ADDRESS and address.isascii() and address.isprintable()
    return proper and _VENDOR_PAGE.match(address) is not None
