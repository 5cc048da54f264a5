"""The connection: what is read, from where, and what is refused with which words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.endpoints import CHINA, INTERNATIONAL
from airflow_provider_aegis.client.protocol.signing import Credentials
from airflow_provider_aegis.hooks.connection import parse_connection


def connection(**fields: Any) -> Any:
    extra = fields.pop("extra", {"region": "cn-hangzhou"})
    text = extra if isinstance(extra, str) else json.dumps(extra)
    defaults = {"conn_id": "c", "conn_type": "aegis", "login": "id", "password": "secret", "host": None, "port": None}
    return SimpleNamespace(**{**defaults, "extra": text, **fields})


@pytest.mark.parametrize(
    ("region", "host"), [("cn-hangzhou", CHINA), ("cn-hongkong", CHINA), ("ap-southeast-1", INTERNATIONAL)]
)
def test_the_region_chooses_the_control_plane(region: str, host: str) -> None:
    assert parse_connection(connection(extra={"region": region})).endpoint.url == f"https://{host}/"


def test_a_host_wins_over_the_region() -> None:
    config = parse_connection(connection(host="tds.vpc-proxy.aliyuncs.com"), region="ap-southeast-1")
    assert config.endpoint.url == "https://tds.vpc-proxy.aliyuncs.com/"


def test_the_arguments_region_wins_over_the_connections() -> None:
    assert parse_connection(connection(), region="eu-central-1").endpoint.host == INTERNATIONAL


def test_a_region_that_is_not_known_is_used_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert parse_connection(connection(extra={"region": "cn-shangai"})).endpoint.host == CHINA
        assert parse_connection(connection(), region="xx-hangzhou").endpoint.host == INTERNATIONAL
        assert parse_connection(connection(), region="cn-hangzhou").endpoint.host == CHINA
    assert [message.split(": ")[1] for message in caplog.messages] == ["extra 'region'", "argument 'region'"]


def test_an_emulator_on_loopback_needs_no_tls() -> None:
    config = parse_connection(connection(host="http://127.0.0.1", port=8765, extra={}))
    assert config.endpoint.url == "http://127.0.0.1:8765/"


def test_defaults_are_those_of_the_table() -> None:
    config = parse_connection(connection())
    assert (config.connect_timeout, config.read_timeout, config.max_requests_per_second) == (5, 10, 5)
    assert config.ca_bundle is None


def test_extras_are_read_and_may_be_text_as_in_a_uri() -> None:
    extra = {"region": "cn-hangzhou", "connect_timeout": "2.5", "read_timeout": 7, "max_requests_per_second": "1"}
    config = parse_connection(connection(extra=extra | {"security_token": "token", "ca_bundle": "/ca.pem"}))
    assert (config.connect_timeout, config.read_timeout, config.max_requests_per_second) == (2.5, 7, 1)
    assert config.credentials.ready() == Credentials("id", "secret", "token")
    assert config.ca_bundle == "/ca.pem"


@pytest.mark.parametrize(
    ("fields", "site"),
    [
        ({"extra": {"region": "cn-hangzhou"}}, "china"),
        ({"extra": {"region": "eu-central-1"}}, "international"),
        ({"extra": {"region": "cn-hangzhou", "console_site": "international"}}, "international"),
        ({"extra": {"region": "eu-central-1", "console_site": "china"}}, "china"),
        ({"host": "tds-intl.vpc-proxy.aliyuncs.com", "extra": {}}, "international"),
        ({"host": "http://localhost:1", "extra": {}}, "china"),
    ],
)
def test_the_console_is_that_of_the_accounts_site(fields: dict[str, Any], site: str) -> None:
    assert parse_connection(connection(**fields)).site == site


def test_a_connection_of_the_official_provider_works() -> None:
    conn = connection(
        conn_type="alibaba_cloud",
        login=None,
        password=None,
        host="oss-cn-hangzhou.aliyuncs.com",
        extra={
            "auth_type": "AK",
            "access_key_id": "theirs",
            "access_key_secret": "hidden",
            "region": "cn-hangzhou",
            "endpoint": "http://another.product.example",
        },
    )
    config = parse_connection(conn)
    assert config.endpoint.host == CHINA
    assert config.credentials.ready() == Credentials("theirs", "hidden")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"extra": {}}, "Set the field Region, as cn-hangzhou: it is under Extra Fields"),
        ({"login": ""}, r"login \(AccessKey ID\) is empty"),
        ({"password": None}, r"password \(AccessKey secret\) is empty"),
        ({"login": " id"}, "login .* white space"),
        ({"password": "se\ncret"}, "password .* odd characters"),
        ({"extra": {"region": "cn-hangzhou", "read_timeout": "soon"}}, "'read_timeout' must be a number from 0.1"),
        ({"extra": {"region": "cn-hangzhou", "read_timeout": 0}}, "'read_timeout' must be a number"),
        ({"extra": {"region": "cn-hangzhou", "connect_timeout": True}}, "'connect_timeout' must be a number"),
        ({"extra": {"region": "cn-hangzhou", "connect_timeout": "nan"}}, "'connect_timeout' must be a number"),
        ({"extra": {"region": "cn-hangzhou", "max_requests_per_second": 1e9}}, "'max_requests_per_second' must be"),
        ({"extra": {"region": "cn-hangzhou", "console_site": "moon"}}, "'console_site' must be one of china, intern"),
        ({"extra": {"region": ["cn-hangzhou"]}}, "'region' must be a string"),
        ({"extra": {"region": "cn_hangzhou"}}, "region 'cn_hangzhou' is not a region id"),
        ({"extra": "{"}, "extra must be a JSON object, or empty"),
        ({"extra": "[]"}, "the extra must be a JSON object, as"),
        ({"host": "http://tds.aliyuncs.com"}, "plain http"),
        ({"host": "tds.aliyuncs.com/path"}, "not a plain host name"),
        ({"host": "tds.aliyuncs.com", "port": 123456}, "port 123456"),
    ],
)
def test_what_cannot_be_used_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s)Connection 'c': .*{named}") as caught:
        parse_connection(connection(**fields))
    assert "secret'" not in str(caught.value)


ROLE = "acs:ram::1234567890:role/scanner"
PROVIDER = "acs:ram::1234567890:oidc-provider/ack"
LOCAL = "http://127.0.0.1:8080/keys"


def auth(auth_type: str, **more: Any) -> dict[str, Any]:
    """A connection whose keys come from elsewhere."""
    keys = {name: more.pop(name, None) for name in ("login", "password")}
    host = more.pop("host", None)
    return {**keys, "host": host, "extra": {"region": "cn-hangzhou", "auth_type": auth_type, **more}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param(
            {"extra": "[" * 100_000}, "extra must be a JSON object, or empty", id="an extra nested too deeply"
        ),
        pytest.param({"extra": f'{{"read_timeout": 1{"0" * 400}}}'}, "'read_timeout'", id="a number beyond a float"),
        pytest.param({"login": 5}, "'login' must be a string", id="a login that is a number"),
        pytest.param({"password": 5}, "'password' must be a string", id="a password that is a number"),
        pytest.param({"host": 5}, "'host' must be a string", id="a host that is a number"),
        pytest.param(
            {"conn_type": "alibaba_cloud", "extra": {"access_key_id": 5, "region": "cn-hangzhou"}},
            "'access_key_id' must be a string",
            id="the official provider's key",
        ),
    ],
)
def test_what_json_can_hold_and_no_form_can_is_named_too(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        parse_connection(connection(**fields))


@pytest.mark.parametrize(
    ("fields", "account"),
    [
        (auth("access_key", login="id", password="s"), "id"),
        (auth("sts", login="id", password="s", security_token="t"), "id"),
        (auth("ram_role_arn", login="id", password="s", role_arn=ROLE), "account 1234567890"),
        (auth("ram_role_arn", role_arn=ROLE, role_session_expiration="900", external_id="x-1"), "account 1234567890"),
        (
            auth("oidc_role_arn", role_arn=ROLE, oidc_provider_arn=PROVIDER, oidc_token_file="/token"),
            "account 1234567890",
        ),
        (auth("ecs_ram_role"), "ecs_ram_role"),
        (auth("ecs_ram_role", role_name="scanner"), "ecs_ram_role scanner"),
        (auth("credentials_uri", credentials_uri=LOCAL), f"credentials_uri {LOCAL}"),
        (auth("default"), "default"),
    ],
)
def test_every_auth_type_is_read_without_asking_anybody(fields: dict[str, Any], account: str) -> None:
    config = parse_connection(connection(**fields))
    assert config.credentials.account == account
    again = parse_connection(connection(**fields), region="eu-central-1")
    assert fields["extra"]["auth_type"] in ("access_key", "sts") or again.credentials is config.credentials


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (auth("magic"), "'auth_type' must be one of access_key, sts, ram_role_arn"),
        (auth("access_key"), r"login \(AccessKey ID\) is empty"),
        (auth("access_key", login="id", password="s", security_token="t"), "'security_token' must be empty"),
        (auth("sts", login="id", password="s"), "'security_token' must be set"),
        (auth("ram_role_arn"), "'role_arn' must be set: auth_type 'ram_role_arn' needs it"),
        (auth("ram_role_arn", login="id", role_arn=ROLE), "password .* is empty"),
        (auth("ram_role_arn", role_arn="scanner"), "'role_arn' must have the form acs:ram"),
        (auth("ram_role_arn", role_arn=ROLE, role_session_name="two words"), "'role_session_name' must have the form"),
        (auth("ram_role_arn", role_arn=ROLE, role_session_expiration=60), "'role_session_expiration' must be a number"),
        (auth("ram_role_arn", role_arn=ROLE, external_id="a b"), "'external_id' must have the form"),
        (auth("ram_role_arn", role_arn=ROLE, policy="{"), "'policy' must be a JSON object"),
        (auth("ram_role_arn", role_arn=ROLE, policy="[]"), "'policy' must be a JSON object"),
        (auth("ram_role_arn", role_arn=ROLE, policy='{"a": 1e999}'), "'policy' must be a JSON object"),
        (auth("ram_role_arn", role_arn=ROLE, oidc_token_file="/t"), "'oidc_token_file' must be empty"),
        (auth("oidc_role_arn", role_arn=ROLE, oidc_token_file="/t"), "'oidc_provider_arn' must be set"),
        (auth("oidc_role_arn", role_arn=ROLE, oidc_provider_arn=PROVIDER), "'oidc_token_file' must be set"),
        (
            auth("oidc_role_arn", role_arn=ROLE, oidc_provider_arn=PROVIDER, oidc_token_file="token"),
            "'oidc_token_file' must be an absolute path",
        ),
        (
            auth("oidc_role_arn", role_arn=ROLE, oidc_provider_arn=ROLE, oidc_token_file="/t"),
            "'oidc_provider_arn' must have the form",
        ),
        (auth("ecs_ram_role", login="id"), "login .* must be empty"),
        (auth("ecs_ram_role", role_name="../x"), "'role_name' must have the form"),
        (auth("credentials_uri"), "'credentials_uri' must be set"),
        (auth("default", role_arn=ROLE), "'role_arn' must be empty: auth_type 'default'"),
        ({"extra": {"region": "cn-hangzhou", "role_arn": ROLE}}, "'role_arn' must be empty: auth_type 'access_key'"),
    ],
)
def test_what_does_not_fit_the_auth_type_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s)Connection 'c': .*{named}"):
        parse_connection(connection(**fields))


@pytest.mark.parametrize(
    "uri",
    [
        LOCAL,
        "http://localhost/keys?x=1",
        "http://169.254.170.2:80/v2/keys",
        "https://127.0.0.1/keys",
        "https://tds.vpc-proxy.aliyuncs.com/keys",
    ],
)
def test_a_credentials_uri_leads_to_this_machine_or_the_connections_host(uri: str) -> None:
    parse_connection(connection(**auth("credentials_uri", credentials_uri=uri, host="tds.vpc-proxy.aliyuncs.com")))


@pytest.mark.parametrize("uri", ["http://keys.example/keys", "http://10.0.0.1/keys", "127.0.0.1/keys"])
def test_a_credentials_uri_to_anywhere_else_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="'credentials_uri'"):
        parse_connection(connection(**auth("credentials_uri", credentials_uri=uri)))


def test_a_region_of_a_dag_does_not_let_the_regions_host_hand_out_keys() -> None:
    fields = auth("credentials_uri", credentials_uri=f"https://{CHINA}/keys")
    with pytest.raises(ConfigurationError, match="'credentials_uri'"):
        parse_connection(connection(**fields))


def test_no_secret_is_in_a_repr() -> None:
    extra = {"region": "cn-hangzhou", "security_token": "hidden-token"}
    text = repr(parse_connection(connection(password="hidden-key", extra=extra)))
    assert "hidden" not in text


def test_no_secret_of_a_role_is_in_a_repr() -> None:
    fields = auth("ram_role_arn", login="id", password="hidden-key", role_arn=ROLE, external_id="hidden-external")
    assert "hidden" not in repr(parse_connection(connection(**fields)))
    fields = auth("credentials_uri", credentials_uri=f"{LOCAL}?token=hidden")
    assert "hidden" not in repr(parse_connection(connection(**fields)))
