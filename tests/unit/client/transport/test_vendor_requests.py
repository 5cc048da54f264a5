"""Single requests of the vendor's library: where tokens may go, and that no logger writes them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_aegis.client.answers import Answer
from airflow_provider_aegis.client.errors import UntrustedEndpointError
from airflow_provider_aegis.client.transport import vendor
from airflow_provider_aegis.client.transport.vendor import Rules, perform
from airflow_provider_aegis.client.vendor_library import contained, load_library
from tests.unit.client.transport.loopback import Server, raw

pytest.importorskip("alibabacloud_credentials")
TOKEN = "secretly-secretly"


@dataclass
class Asked:
    """A request as the library makes it."""

    method: str = "POST"
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


BEARER = Asked(headers={"Authorization": f"Bearer {TOKEN}"})


def test_a_bearer_token_goes_nowhere_without_tls() -> None:
    with pytest.raises(UntrustedEndpointError, match=r"not sent to 'sso\.example' without TLS") as caught:
        perform("http://sso.example/cloud-credentials", BEARER, {}, Rules())
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("asked", [BEARER, Asked(body=f"grant_type=x&refresh_token={TOKEN}")], ids=["header", "body"])
def test_tokens_outside_of_the_query_are_told_too(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "fetch", lambda *_, **__: Answer(200, {}, b"{}"))
    told: list[str] = []
    perform("https://oauth.aliyun.com/v1/token", asked, {}, Rules(on_secret=told.append))
    assert told == [TOKEN]


def test_it_is_judged_where_a_request_really_goes() -> None:
    asked = Asked(query={"Signature": "s"})
    with pytest.raises(UntrustedEndpointError, match=r"'sts\.evil\.example' is no host of Alibaba Cloud"):
        perform("https://sts.evil.example\\@x.aliyuncs.com/", asked, {}, Rules())


def test_headers_that_are_none_bring_no_address_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    load_library()
    with (
        caplog.at_level(logging.DEBUG),
        Server(raw(b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 2\r\n\r\n{}")) as server,
        contained(Rules()),
    ):
        perform(f"http://{server.address}/?OIDCToken={TOKEN}", Asked(query={"OIDCToken": TOKEN}), {}, Rules())
    assert TOKEN not in caplog.text
