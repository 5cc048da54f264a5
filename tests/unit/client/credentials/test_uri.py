"""Which addresses may hand out credentials."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.credentials.uri import check_uri
from airflow_provider_aegis.client.errors import ConfigurationError

HOST = "tds.vpc-proxy.aliyuncs.com"


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://127.0.0.1:8080/keys?for=a%20b", "http://127.0.0.1:8080/keys?for=a%20b"),
        ("http://127.8.9.1", "http://127.8.9.1/"),
        ("https://LOCALHOST/keys", "https://localhost/keys"),
        ("http://169.254.170.2/v2/keys", "http://169.254.170.2/v2/keys"),
        ("http://[::1]:8080/keys?a=b", "http://[::1]:8080/keys?a=b"),
        ("http://[FE80::1]/keys", "http://[fe80::1]/keys"),
        (f"https://{HOST}/keys", f"https://{HOST}/keys"),
    ],
)
def test_this_machine_and_the_connections_host_may(uri: str, address: str) -> None:
    assert check_uri(uri, named="uri", hosts=(HOST,)) == address


@pytest.mark.parametrize(
    "uri",
    [
        "http://keys.example/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1@keys.example/",
        "http://user:pass@127.0.0.1/",
        "http://127.0.0.1.keys.example/",
        "http://keys.example\\@127.0.0.1/",
        "ftp://127.0.0.1/keys",
        "file:///etc/passwd",
        "127.0.0.1/keys",
        "http://[fc00::1]/keys",
        "http://[::1/keys",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/#x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\u00e9",
        "http:///keys",
    ],
)
def test_no_other_may(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="the setting must"):
        check_uri(uri, named="the setting", hosts=(HOST,))


@pytest.mark.parametrize("uri", ["http://keys.example/keys", "https://10.0.0.1/keys"])
def test_the_environment_may_name_any(uri: str) -> None:
    assert check_uri(uri, named="the variable") == uri


@pytest.mark.parametrize("uri", ["http://user:pass@keys.example/", "keys.example/keys", "http://keys.example/#x"])
def test_but_it_has_to_be_one(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="the variable must be an address") as caught:
        check_uri(uri, named="the variable")
    assert "pass" not in str(caught.value)
