from __future__ import annotations

import pytest

from airflow_provider_aegis.client.credentials.base import Fetched, StaticCredentials
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.exchange import Send, Signature
from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests import fakes

SECRET, TOKEN = "a-very-secret-secret", "a-very-secret-token"
KEYS = Credentials("LTAI-id", SECRET, TOKEN)


@pytest.mark.parametrize("refused", [None, KEYS])
def test_keys_of_a_connection_are_handed_out_as_they_are(refused: Credentials | None) -> None:
    provider = StaticCredentials(KEYS)
    assert provider.ready(refused) == KEYS
    stage = fakes.stage()
    assert stage.run_flow(provider.get(refused)) == KEYS
    assert stage.run_flow(provider.fetch(stage.clock)) == Fetched(KEYS, expires=None)
    assert provider.account == "LTAI-id"


@pytest.mark.parametrize("odd", ["", "  ", " x", "x ", "x\n", "x\ny", "x\x00", "x\u200b", "xé", "ｘ"])
@pytest.mark.parametrize("place", ["login", "password"])
def test_empty_or_odd_keys_are_refused_by_the_name_of_the_field(odd: str, place: str) -> None:
    keys = Credentials(odd, "s") if place == "login" else Credentials("i", odd)
    with pytest.raises(ConfigurationError, match=place):
        StaticCredentials(keys).ready()


@pytest.mark.parametrize("odd", ["token\n", " token", "tok\r\nen", "tok\x00en", "tokén"])
def test_an_odd_token_is_refused_too_as_no_header_can_carry_it(odd: str) -> None:
    with pytest.raises(ConfigurationError, match="token"):
        StaticCredentials(Credentials("i", "s", odd)).ready()


@pytest.mark.parametrize("token", [None, "", TOKEN, "CAIS+/abc==", "CAIS&x=1*~"])
def test_a_token_may_be_missing(token: str | None) -> None:
    kept = StaticCredentials(Credentials("i", "s", token)).ready().security_token
    assert kept == (None if token is None else Secret(token))


@pytest.mark.parametrize("keys", [Credentials("i", f"{SECRET}\n"), Credentials("", SECRET), Credentials("i\n", SECRET)])
def test_a_refusal_shows_no_secret(keys: Credentials) -> None:
    with pytest.raises(ConfigurationError) as caught:
        StaticCredentials(keys).ready()
    assert SECRET not in f"{caught.value} {caught.value!r}"


SIGNATURE = Signature("GetOnceTaskResultInfo", "2026-01-02T03:04:05Z", "nonce", KEYS)


@pytest.mark.parametrize(
    "thing",
    [
        KEYS,
        StaticCredentials(KEYS),
        SIGNATURE,
        Send("https://h/", SIGNATURE, connect_timeout=5, read_timeout=10),
        fakes.config(credentials=StaticCredentials(KEYS)),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_nothing_that_holds_keys_shows_a_secret(thing: object) -> None:
    assert "LTAI-id" in repr(thing)
    assert SECRET not in f"{thing!r} {thing}"
    assert TOKEN not in f"{thing!r} {thing}"
