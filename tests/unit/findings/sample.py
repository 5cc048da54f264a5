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


def image_vulnerability(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record of DescribeImageVulList."""
    return {
        "PrimaryId": 900 + number,
        "Name": f"debian:12:{number}",
        "AliasName": "libxml2: use after free",
        "Type": "cve",
        "Status": 1,
        "Necessity": "later",
        "CanFix": "yes",
        "CanUpdate": True,
        "ImageDigest": f"sha256:{number:064d}",
        "Uuid": f"image-{number}",
        "RepoNamespace": "shop",
        "RepoName": "basket",
        "Tag": "1.4",
        "Layers": ["sha256:aa"],
        "Related": "CVE-2026-11111",
        "FirstTs": 1_760_000_000_000,
        "ScanTime": 1_763_900_000_000,
        "LastTs": 1_763_800_000_000,
        "ExtendContentJson": {
            "RpmEntityList": [{"Name": "libxml2", "FullVersion": "2.9.14", "Layer": "aa"}, {"Name": ""}]
        },
        **changes,
    }


def cloud_check(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record of ListCheckResult."""
    return {
        "CheckId": number,
        "CheckShowName": "OSS - bucket is not public",
        "CheckType": "CONFIG",
        "RiskLevel": "HIGH",
        "Status": "NOT_PASS",
        "StatusMessage": "",
        "InstanceType": "OSS",
        "InstanceSubType": "INSTANCE",
        "Vendor": "ALIYUN",
        "LastCheckTime": 1_763_900_000_000,
        "CheckPolicies": [
            {"StandardId": 1, "StandardShowName": "CIS", "RequirementId": 2, "RequirementShowName": "Storage"},
            {"StandardId": 1, "StandardShowName": "CIS", "RequirementId": 3, "RequirementShowName": "Logging"},
        ],
        **changes,
    }


def baseline_check(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record of ListCheckItemWarningMachine, with the fields of its check copied in."""
    return {
        "CheckId": 50 + number,
        "CheckItem": "Ensure the time-out of SSH is set",
        "CheckLevel": "medium",
        "CheckType": "Remote access",
        "Advice": "Set ClientAliveInterval to 900 in /etc/ssh/sshd_config.",
        "Status": 1,
        "Uuid": f"uuid-{number}",
        "InstanceId": f"i-bp1{number}",
        "InstanceName": f"web-{number}",
        "IntranetIp": "10.0.0.9",
        "RegionId": "cn-hangzhou",
        "LastScanTime": 1_763_900_000_000,
        "WarningRiskList": [{"RiskId": 4, "RiskName": "CIS Alibaba Cloud Linux 3"}],
        **changes,
    }


def alert(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record of DescribeSuspEvents."""
    return {
        "Id": 3_000 + number,
        "AlarmUniqueInfo": f"{number:032d}",
        "AlarmEventName": "Reverse shell",
        "AlarmEventNameDisplay": "Reverse shell",
        "AlarmEventType": "Process",
        "Level": "serious",
        "EventStatus": 1,
        "Uuid": f"uuid-{number}",
        "InstanceId": f"i-bp1{number}",
        "InstanceName": f"web-{number}",
        "IntranetIp": "fe80::1",
        "OccurrenceTimeStamp": 1_763_800_000_000,
        "LastTimeStamp": 1_763_900_000_000,
        "LastTime": "2025-11-23 12:13:20",
        "Desc": "A shell was connected to a socket.",
        "Details": [{"NameDisplay": "Command line", "Type": "text", "Value": "bash -i", "ValueDisplay": "bash -i"}],
        "TacticItems": [{"TacticId": "TA0011", "TacticDisplayName": "Command and Control"}, {}],
        "K8sPodName": "",
        **changes,
    }


def virus_event(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record of ListVirusScanMachineEvent, with the machine's Uuid copied in."""
    return {
        "EventId": 700 + number,
        "EventName": "Mining program",
        "Level": "suspicious",
        "Uuid": f"uuid-{number}",
        "InstanceName": f"web-{number}",
        "IntranetIp": "10.0.0.9",
        "InternetIp": "203.0.113.7",
        "LastTimeStamp": 1_763_900_000_000,
        "Details": [{"InfoType": "path", "NameDisplay": "Path", "Type": "text", "ValueDisplay": "/tmp/x"}],
        **changes,
    }


def image_baseline_result(**changes: Any) -> dict[str, Any]:
    """A record of DescribeImageBaselineCheckResult, with the image's Uuid copied in."""
    return {
        "ImageUuid": "image-1",
        "BaselineNameKey": "ak_leak",
        "BaselineNameAlias": "AccessKey leak",
        "BaselineClassAlias": "Credentials",
        "BaselineNameLevel": "high",
        "HighRiskItemCount": 2,
        "FirstScanTime": 1_763_800_000_000,
        "LastScanTime": 1_763_900_000_000,
        "Status": 0,
        **changes,
    }


def sensitive_file(**changes: Any) -> dict[str, Any]:
    """A record of DescribeImageSensitiveFileList, with the image's Uuid copied in."""
    return {
        "ImageUuid": "image-1",
        "SensitiveFileKey": "npm_token",
        "SensitiveFileName": "Token of npm",
        "ClassKey": "token",
        "RiskLevel": "high",
        "Count": 3,
        "FirstScanTime": 1_763_800_000_000,
        "LastScanTime": 1_763_900_000_000,
        **changes,
    }


def malicious_file(**changes: Any) -> dict[str, Any]:
    """A record of DescribeAffectedMaliciousFileImages."""
    return {
        "Id": 12,
        "ImageUuid": "image-1",
        "MaliciousMd5": "d41d8cd98f00b204e9800998ecf8427e",
        "FilePath": "/usr/bin/miner",
        "Digest": "sha256:bb",
        "RepoName": "basket",
        "RepoRegionId": "cn-hangzhou",
        "Level": "serious",
        "FirstScanTimestamp": 1_763_800_000_000,
        "LatestScanTimestamp": 1_763_900_000_000,
        **changes,
    }


SAMPLES: dict[str, dict[str, Any]] = {
    "vulnerabilities": vulnerability(3),
    "image_vulnerabilities": image_vulnerability(),
    "image_baseline": image_baseline_result(),
    "image_sensitive_files": sensitive_file(),
    "image_malicious_files": malicious_file(),
    "baseline": baseline_check(),
    "cloud_configuration": cloud_check(),
    "alerts": alert(),
    "virus_events": virus_event(),
}
