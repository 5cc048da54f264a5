from __future__ import annotations

import copy
import json
import pickle
from dataclasses import asdict, replace

import pytest

from airflow_provider_aegis.client.protocol.secret import Secret
from airflow_provider_aegis.client.protocol.signing import Credentials

TEXT = "the-secret"
KEYS = Credentials("id", TEXT, "the-token")


def test_only_to_reveal_it_shows_a_secret() -> None:
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    for shown in (repr(secret), str(secret), f"{secret}", repr({"a": [secret]})):
        assert TEXT not in shown
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_not_written_down() -> None:
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            write(Secret(TEXT))
    assert copy.copy(KEYS) == copy.deepcopy(KEYS) == KEYS


def test_secrets_are_the_same_if_their_texts_are() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a")
    assert not Secret("")


def test_credentials_are_made_of_plain_text_and_keep_it_as_secrets() -> None:
    assert KEYS.access_key_secret == Secret(TEXT)
    assert KEYS.security_token == Secret("the-token")
    assert Credentials("id", "s").security_token is None
    assert Credentials("id", Secret("s"), Secret("t")) == Credentials("id", "s", "t")
    assert replace(KEYS, access_key_id="other") == Credentials("other", TEXT, "the-token")
    assert hash(KEYS) == hash(copy.copy(KEYS))
    assert "the-" not in f"{KEYS!r} {KEYS} {asdict(KEYS)}"
