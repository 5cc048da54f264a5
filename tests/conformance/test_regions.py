"""The regions that are known, and the hosts that they lead to, are those of the official SDK."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.protocol.endpoints import REGIONS, resolve_endpoint

pytest.importorskip("alibabacloud_sas20181203", reason="needs the official SDK")


def test_the_regions_and_their_hosts_are_the_sdks() -> None:
    # Imported here, because it takes seconds that a run of other tests need not spend.
    from alibabacloud_sas20181203.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    client = Client(Config(access_key_id="id", access_key_secret="secret", region_id="cn-hangzhou"))
    assert {region: resolve_endpoint(region=region, host=None).host for region in REGIONS} == client._endpoint_map
