"""Text that came from outside, made fit for a log line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

LONGEST = 500
LONGEST_ADDRESS = 2000
_VENDOR_PAGE = re.compile(r"https://([a-z0-9-]+\.)*(aliyun|alibabacloud)\.com([/?#]|$)")


def printable(value: object, longest: int = LONGEST) -> str:
    """Return a value's text on one line, control characters escaped, and cut where it is too long.

    :param longest: characters to keep.
    """
    text = str(value)[: longest + 1]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return text if len(text) <= longest else f"{text[:longest]}…"


def without(text: str, secrets: Iterable[str | None]) -> str:
    """Return a text with ``***`` in place of secrets, plain or percent-encoded: services repeat requests in errors."""
    for secret in filter(None, secrets):
        for form in (secret, quote(secret, safe="")):
            text = text.replace(form, "***")
    return text


def is_vendor_page(address: str) -> bool:
    """Whether an address that came with an answer is a page on the vendor's own sites."""
    proper = len(address) <= LONGEST_ADDRESS and address.isascii() and address.isprintable()
    return proper and _VENDOR_PAGE.match(address) is not None
