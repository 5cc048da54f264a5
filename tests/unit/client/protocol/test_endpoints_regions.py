"""Which regions are known, where each leads, and what is said of another one."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.endpoints import (
    REGIONS,
    Endpoint,
    check_region,
    resolve_endpoint,
    unknown_region_warning,
)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-hangzhou", "tds.cn-shanghai.aliyuncs.com"),
        ("cn-hongkong", "tds.cn-shanghai.aliyuncs.com"),
        ("cn-north-2-gov-1", "tds.cn-shanghai.aliyuncs.com"),
        ("ap-southeast-1", "tds.ap-southeast-1.aliyuncs.com"),
        ("me-central-1", "tds.ap-southeast-1.aliyuncs.com"),
        ("xx-new-1", "tds.ap-southeast-1.aliyuncs.com"),
    ],
)
def test_a_region_has_its_control_plane(region: str, host: str) -> None:
    assert resolve_endpoint(region=region, host=None) == Endpoint("https", host)


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_a_known_region_is_not_doubted(region: str) -> None:
    assert check_region(region)
    assert unknown_region_warning(region) == ""


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("ch-hangzhou", "one of the international control plane; did you mean cn-hangzhou"),
        ("cn-shangai", "one of China's control plane; did you mean cn-shanghai"),
        ("us-east1", "one of the international control plane; did you mean us-east-1"),
        ("qx-07", "one of the international control plane."),
    ],
)
def test_an_unknown_region_is_doubted_and_its_neighbours_named(region: str, said: str) -> None:
    assert f"{region!r} is not a known region, and is taken for {said}" in unknown_region_warning(region)


@pytest.mark.parametrize("host", [None, "tds.cn-shanghai.aliyuncs.com"])
def test_an_endless_region_is_refused_in_a_short_sentence(host: str | None) -> None:
    with pytest.raises(ConfigurationError, match="region is not a region id: it has 80000 characters") as caught:
        resolve_endpoint(region="cn-hang-" * 10_000, host=host)
    assert len(str(caught.value)) < 200
    assert check_region(f"cn-{'a' * 61}")
