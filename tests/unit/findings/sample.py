"""Records as the API gives them, made up."""

from __future__ import annotations

from typing import Any


def vulnerability(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record of DescribeVulList."""
    return {
        "PrimaryId": 4_000_000_000 + number,
        "Name": f"alilinux3:sa-{number}",
        "AliasName": f"ALINUX3-SA-2026:{number:04d}: openssl security update",
        "Type": "cve",
        "Status": 1,
        "Necessity": ("asap", "later", "nntf")[number % 3],
        "RealRisk": number % 2 == 0,
        "Uuid": f"uuid-{number % 7}",
        "InstanceId": f"i-bp1{number % 7}",
        "InstanceName": f"web-{number % 7}",
        "IntranetIp": f"10.0.0.{number % 250}",
        "InternetIp": "",
        "RegionId": "cn-hangzhou",
        "Related": f"CVE-2026-{1000 + number},CVE-2026-{2000 + number}",
        "FirstTs": 1_760_000_000_000 + number,
        "LastTs": 1_763_900_000_000 + number,
        "ExtendContentJson": {
            "Necessity": {"Total_score": "13.5", "Is_calc": "1"},
            "RpmEntityList": [
                {
                    "Name": "openssl-libs",
                    "FullVersion": "1:1.1.1k-9.el8",
                    "Version": "1.1.1k",
                    "Path": "/usr/lib64",
                    "UpdateCmd": "yum update openssl-libs",
                    "MatchDetail": "openssl-libs version less than 1:1.1.1k-14.el8",
                }
            ],
        },
        **changes,
    }
