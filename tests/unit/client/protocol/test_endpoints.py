from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.endpoints import (
    CHINA,
    CONSOLES,
    INTERNATIONAL,
    TROUBLESHOOTING,
    Endpoint,
    Site,
    check_region,
    is_loopback,
    parse_host,
    resolve_endpoint,
)
from tests.fakes import patiently


def test_a_host_wins_over_the_region() -> None:
    endpoint = resolve_endpoint(region="cn-hangzhou", host="tds-intl.vpc-proxy.aliyuncs.com")
    assert endpoint == Endpoint("https", "tds-intl.vpc-proxy.aliyuncs.com")


@pytest.mark.parametrize("nothing", ["", None])
def test_one_of_region_and_host_is_needed(nothing: str | None) -> None:
    with pytest.raises(ConfigurationError, match="region"):
        resolve_endpoint(region=nothing, host=nothing)


def test_a_bad_region_is_refused_even_where_a_host_wins() -> None:
    with pytest.raises(ConfigurationError, match="region"):
        resolve_endpoint(region="../cn", host=CHINA)


BAD_REGIONS = [
    "CN-hangzhou",
    "cn.hangzhou",
    "cn/hangzhou",
    "cn-hangzhou/..",
    "..",
    "cn-hangzhou\n",
    " cn-hangzhou",
    "cn-hangzhou ",
    "cn hangzhou",
    "cn_hangzhou",
    "cn-hangzhou.evil.example#",
    "cn-hangzhou@evil.example",
    "cn-hangzhou:80",
    "cn%2dhangzhou",
    "cn-hángzhou",
    "cn-杭州",
    "cn‑hangzhou",
    "cn-hangzhou１",
    "-cn",
    "cn-",
    "cn--hangzhou",
    "\x00",
]


@pytest.mark.parametrize("region", BAD_REGIONS)
def test_a_region_is_lower_case_letters_digits_and_single_hyphens(region: str) -> None:
    with pytest.raises(ConfigurationError, match="region"):
        check_region(region)


@patiently
@given(st.text(st.characters(exclude_characters="abcdefghijklmnopqrstuvwxyz0123456789-"), min_size=1))
def test_no_other_character_makes_a_region(odd: str) -> None:
    with pytest.raises(ConfigurationError):
        check_region(f"cn-hangzhou{odd}")


@pytest.mark.parametrize(
    ("host", "port", "endpoint"),
    [
        (CHINA, None, Endpoint("https", CHINA)),
        (f"https://{CHINA}", None, Endpoint("https", CHINA)),
        (f"https://{CHINA}/", None, Endpoint("https", CHINA)),
        (f"  {CHINA}\t\n", None, Endpoint("https", CHINA)),
        (CHINA.upper(), None, Endpoint("https", CHINA)),
        (f"HTTPS://{CHINA}", None, Endpoint("https", CHINA)),
        (f"{CHINA}:443", None, Endpoint("https", CHINA)),
        (CHINA, 443, Endpoint("https", CHINA)),
        (CHINA, 8443, Endpoint("https", f"{CHINA}:8443")),
        (f"{CHINA}:8443", None, Endpoint("https", f"{CHINA}:8443")),
        (f"{CHINA}:8443", 9443, Endpoint("https", f"{CHINA}:8443")),
        ("http://127.0.0.1:8080", None, Endpoint("http", "127.0.0.1:8080")),
        ("http://127.0.0.1", 8080, Endpoint("http", "127.0.0.1:8080")),
        ("http://127.0.0.1:80", None, Endpoint("http", "127.0.0.1")),
        ("http://127.8.9.10", None, Endpoint("http", "127.8.9.10")),
        ("http://localhost:443", None, Endpoint("http", "localhost:443")),
        ("http://LocalHost", None, Endpoint("http", "localhost")),
        ("http://[::1]", None, Endpoint("http", "[::1]")),
        ("http://[::1]:8080", None, Endpoint("http", "[::1]:8080")),
        ("[2001:db8::1]:8443", None, Endpoint("https", "[2001:db8::1]:8443")),
        ("https://10.0.0.7", None, Endpoint("https", "10.0.0.7")),
        ("emulator", 8443, Endpoint("https", "emulator:8443")),
    ],
)
def test_a_host_as_people_write_it(host: str, port: int | None, endpoint: Endpoint) -> None:
    assert parse_host(host, port) == endpoint
    assert endpoint.url == f"{endpoint.scheme}://{endpoint.host}/"


NOT_A_HOST = [
    # more than a host
    f"user@{CHINA}",
    f"user:password@{CHINA}",
    f"@{CHINA}",
    f":@{CHINA}",
    f"{CHINA}/path",
    f"{CHINA}//",
    f"{CHINA}/..",
    f"{CHINA}?query",
    f"{CHINA}?",
    f"{CHINA}#fragment",
    f"{CHINA}#",
    f"{CHINA};x",
    f"https://{CHINA}/?",
    f"https://https://{CHINA}",
    # another scheme, or none to be seen
    f"ftp://{CHINA}",
    f"file://{CHINA}",
    f"HTTP+UNIX://{CHINA}",
    f"//{CHINA}",
    f"://{CHINA}",
    f"https:{CHINA}",
    "https://",
    "/",
    "   ",
    # ports
    f"{CHINA}:port",
    f"{CHINA}:-1",
    f"{CHINA}:0",
    f"{CHINA}:65536",
    f"{CHINA}:８０",
    f"{CHINA}: 80",
    f"{CHINA}:80:80",
    # names that no resolver takes, or takes for another
    f"{CHINA}.",
    f".{CHINA}",
    "tds..aliyuncs.com",
    "-tds.aliyuncs.com",
    "tds-.aliyuncs.com",
    "tds_1.aliyuncs.com",
    f"{'a' * 64}.aliyuncs.com",
    f"{'a.' * 127}aa",
    "tds。aliyuncs。com",
    "tds．aliyuncs．com",
    "ⓣds.aliyuncs.com",
    "tds.ban\u212a.example",
    "tds.аliyuncs.com",
    "tds%2ealiyuncs.com",
    "tds.aliyuncs.com%00",
    "tds.aliyuncs.com\\evil.example",
    "evil.example\\.aliyuncs.com",
    # white space and control characters within
    "tds. aliyuncs.com",
    "tds.\taliyuncs.com",
    "tds.\naliyuncs.com",
    "tds.\r\naliyuncs.com",
    "tds.aliyuncs.com\x00",
    "\x1btds.aliyuncs.com",
    "tds.\u00a0aliyuncs.com",
    "tds.\u200baliyuncs.com",
    # brackets
    "[::1",
    "::1",
    "[]",
    "[127.0.0.1]",
    "[localhost]",
    "[v1.tds]",
    "[::1%25eth0]",
    "[::1%eth0]",
    "[::1%\\evil.example]",
    "[::1].evil.example",
    "[::1]evil.example",
    "evil.example[::1]",
]


@pytest.mark.parametrize("host", NOT_A_HOST)
def test_anything_but_a_plain_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"host|port"):
        parse_host(host)


NOT_LOOPBACK = [
    CHINA,
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example.localhost",
    "localhost.localdomain",
    "notlocalhost",
    "127.0.0.1@evil.example",
    "localhost:80@evil.example",
    "127.0.0.1\\@evil.example",
    "127.0.0.1\\.evil.example",
    "127.0.0.1#@evil.example",
    "127.0.0.1?@evil.example",
    "127.0.0.1/@evil.example",
    "127.0.0.1%2eevil.example",
    "127.0.0.1%00.evil.example",
    "127.0.0.1\n.evil.example",
    "127.0.0.1\t.evil.example",
    "127.0.0.1 .evil.example",
    "127。0。0。1",
    "①27.0.0.1",
    "ⓛocalhost",
    "localhoſt",
    "127.0.0.1.",
    "localhost.",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "127.0.0.01",
    "128.0.0.1",
    "126.255.255.255",
    "0.0.0.0",
    "10.0.0.1",
    "169.254.169.254",
    "[::]",
    "[::2]",
    "[::ffff:10.0.0.1]",
    "[2001:db8::1]",
    "[fe80::1]",
    "[::1].evil.example",
    "[::1]evil.example",
    "[::1]@evil.example",
]


@pytest.mark.parametrize("host", NOT_LOOPBACK)
def test_plain_http_is_spoken_on_loopback_alone(host: str) -> None:
    with pytest.raises(ConfigurationError, match="host"):
        parse_host(f"http://{host}")


@pytest.mark.parametrize("port", [0, -1, 65536, 10**9])
def test_a_port_is_between_1_and_65535(port: int) -> None:
    with pytest.raises(ConfigurationError, match="port"):
        parse_host(CHINA, port)


@patiently
@given(st.text() | st.from_regex(r"(https?://)?[a-z0-9.:@/\\\[\]%?# -]{0,40}", fullmatch=True))
def test_whatever_is_written_it_is_a_plain_endpoint_or_a_configuration_error(host: str) -> None:
    try:
        endpoint = parse_host(host)
    except ConfigurationError:
        return
    assert set(endpoint.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.:[]")
    assert endpoint.scheme == "https" or is_loopback(urlsplit(endpoint.url).hostname or "")


@pytest.mark.parametrize(
    ("host", "site"),
    [
        (CHINA, "china"),
        (f"{CHINA}:8443", "china"),
        ("tds.vpc-proxy.aliyuncs.com", "china"),
        ("tds.aliyuncs.com", "china"),
        ("127.0.0.1:8080", "china"),
        (INTERNATIONAL, "international"),
        (f"{INTERNATIONAL}:8443", "international"),
        ("tds-intl.vpc-proxy.aliyuncs.com", "international"),
        ("tds-vpc.ap-southeast-2.aliyuncs.com", "international"),
    ],
)
def test_a_host_belongs_to_a_site(host: str, site: Site) -> None:
    assert Endpoint("https", host).site == site


def test_every_site_has_its_pages() -> None:
    assert CONSOLES == {
        "china": "https://yundun.console.aliyun.com/?p=sas",
        "international": "https://yundun.console.alibabacloud.com/?p=sas",
    }
    assert TROUBLESHOOTING == {
        "china": "https://api.aliyun.com/troubleshoot",
        "international": "https://api.alibabacloud.com/troubleshoot",
    }
