"""What the records of each reader look like, made from a seed and a number: nothing is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

Record = dict[str, Any]

# When the first finding was seen, epoch milliseconds: 2025-10-09.
BEGAN = 1_760_000_000_000
NECESSITY = ("asap", "later", "later", "nntf", "nntf", "nntf")
LEVELS = ("high", "medium", "medium", "low", "low", "low")
ALARM_LEVELS = ("serious", "suspicious", "suspicious", "remind", "remind", "remind")


@dataclass(frozen=True, slots=True)
class Place:
    """Which record is wanted.

    :param number: its number in the list; the same record has the same one however the list shifts.
    :param seed: what all numbers in it are drawn from.
    :param machine: number of the machine that it is about.
    :param offline: whether that machine does not report.
    :param outer: what the parameter says that the list hangs on, empty for most.
    :param kind: the parameter ``Type``, where there is one.
    :param english: whether texts are in English.
    """

    number: int
    seed: int
    machine: int
    offline: bool = False
    outer: str = ""
    kind: str = ""
    english: bool = True

    def draw(self, most: int, salt: int = 0) -> int:
        """Return a number from 0 to one less than the most, the same every time."""
        mixed = (self.number * 2_654_435_761 + self.seed * 40_503 + salt * 97) & 0xFFFFFFFF
        mixed = ((mixed ^ mixed >> 16) * 0x45D9F3B) & 0xFFFFFFFF
        return (mixed ^ mixed >> 16) % most

    def of(self, words: tuple[str, ...], salt: int = 0) -> str:
        """Draw one of some words."""
        return words[self.draw(len(words), salt)]

    def title(self, english: str, chinese: str) -> str:
        """Return a text in the language that was asked for."""
        return english if self.english else chinese

    @property
    def id(self) -> int:
        """A number that no other record of the reader has."""
        return 4_000_000_000 + self.number * 8 + len(self.kind) + crc32(self.outer.encode()) % 10**8 * 10**10

    @property
    def first(self) -> int:
        """When it was first seen, epoch milliseconds."""
        return BEGAN + self.draw(90 * 86_400) * 1000

    @property
    def last(self) -> int:
        """When it was last seen, epoch milliseconds."""
        return BEGAN + 100 * 86_400_000

    @property
    def md5(self) -> str:
        """A checksum of a file."""
        return f"{self.draw(2**32):08x}{self.number & 0xFFFFFFFF:08x}" * 2


def uuid_of(machine: int) -> str:
    """Return a machine's id."""
    return f"inet-emulated-{machine:06d}"


def image_uuid_of(image: int) -> str:
    """Return an image's id."""
    return f"image-emulated-{image:06d}"


def _machine(at: Place) -> Record:
    machine = at.machine
    return {
        "Uuid": uuid_of(machine),
        "InstanceId": f"i-emulated{machine:06d}",
        "InstanceName": f"host-{machine}",
        "IntranetIp": f"10.{machine >> 16 & 255}.{machine >> 8 & 255}.{machine & 255}",
        "InternetIp": "",
    }


def _image(at: Place) -> Record:
    image = at.machine
    return {"ImageDigest": f"{image:064x}", "RepoName": f"app-{image}", "RepoNamespace": "emulated", "Tag": "1.0"}


def _software(at: Place) -> Record:
    advisory = at.draw(400, 1)
    return {
        "Name": f"{at.kind or 'cve'}:advisory-{advisory}-{at.number}",
        "AliasName": at.title(f"Advisory {advisory}: openssl security update", f"公告 {advisory}:openssl 安全更新"),
        "Type": at.kind or "cve",
        "Status": 1,
        "Necessity": at.of(NECESSITY),
        "Related": f"CVE-2026-{1000 + advisory},CVE-2026-{2000 + advisory}",
        "FirstTs": at.first,
        "LastTs": at.last,
    }


def _vulnerability(at: Place) -> Record:
    package = {
        "Name": "openssl-libs",
        "FullVersion": "1:1.1.1k-9.el8",
        "Version": "1.1.1k",
        "Path": "/usr/lib64",
        "UpdateCmd": "yum update openssl-libs",
        "MatchDetail": "openssl-libs version less than 1:1.1.1k-14.el8",
    }
    more = {"Necessity": {"Total_score": f"{at.draw(150, 2) / 10}", "Is_calc": "1"}, "RpmEntityList": [package]}
    named = {"PrimaryId": at.id, "RealRisk": at.draw(2, 3) == 0, "RegionId": "cn-hangzhou", "Online": not at.offline}
    return {**named, **_software(at), **_machine(at), "ExtendContentJson": more}


def _image_vulnerability(at: Place) -> Record:
    return {"PrimaryId": at.id, "CanFix": "yes", "ScanTime": at.last, **_software(at), **_image(at)}


def _grouped(at: Place) -> Record:
    counts = {"AsapCount": at.draw(9, 4), "LaterCount": at.draw(9, 5), "NntfCount": at.draw(9, 6)}
    return {"Name": f"group-{at.number}", "AliasName": f"Group {at.number}", "Type": at.kind or "cve", **counts}


def _check(at: Place) -> Record:
    return {
        "CheckId": 1000 + at.number,
        "CheckItem": at.title(f"Password policy {at.number}", f"密码策略 {at.number}"),
        "CheckLevel": at.of(LEVELS),
        "CheckType": at.title("Identity authentication", "身份鉴别"),
        "Status": 1,
        "WarningMachineCount": 1,
    }


def _check_machine(at: Place) -> Record:
    return {**_machine(at), "Status": 1, "LastScanTime": at.last, "RegionId": "cn-hangzhou", "TargetType": "ECS"}


def _cloud_check(at: Place) -> Record:
    return {
        "CheckId": 5000 + at.number,
        "CheckShowName": at.title(f"Bucket {at.number} is not public", f"存储桶 {at.number} 不公开"),
        "CheckType": "RISK",
        "RiskLevel": at.of(LEVELS).upper(),
        "Status": ("NOT_PASS", "PASS", "WHITELIST", "NOT_CHECK")[at.draw(4, 7)],
        "InstanceType": "OSS",
        "LastCheckTime": at.last,
        "Vendor": "ALIYUN",
    }


def _alert(at: Place) -> Record:
    return {
        "Id": at.id,
        "AlarmUniqueInfo": f"alarm-{at.number}",
        "AlarmEventName": "suspicious-process",
        "AlarmEventNameDisplay": at.title("Suspicious process", "可疑进程"),
        "AlarmEventType": "process",
        "Name": f"event-{at.number}",
        "Level": at.of(ALARM_LEVELS),
        "EventStatus": 1,
        "OccurrenceTimeStamp": at.first,
        "LastTimeStamp": at.last,
        **_machine(at),
    }


def _asset(at: Place) -> Record:
    return {
        **_machine(at),
        "AssetType": "0",
        "Bind": True,
        "ClientStatus": "offline" if at.offline else "online",
        "ExposedStatus": at.draw(2, 8),
        "Importance": at.draw(3, 9),
        "RegionId": "cn-hangzhou",
        "RiskCount": f'{{"vul":{at.draw(9, 10)}}}',
        "VulCount": at.draw(9, 10),
    }


def _exposure(at: Place) -> Record:
    port = {"ExposureIp": f"203.0.113.{at.machine & 255}", "ExposurePort": str(1024 + at.number), "ExposureType": "IP"}
    return {**_machine(at), **port, "ExposureComponent": "openssh", "AsapVulCount": at.draw(9, 11), "RegionId": "cn"}


def _malicious_file(at: Place) -> Record:
    file = {"Id": at.id, "FilePath": f"/tmp/{at.number}.sh", "MaliciousMd5": at.md5, "Layer": "sha256:0"}
    times = {"FirstScanTimestamp": at.first, "LatestScanTimestamp": at.last}
    image = {"Digest": f"{at.machine:064x}", "ImageUuid": image_uuid_of(at.machine), "RepoName": f"app-{at.machine}"}
    return {**file, **times, **image, "Level": at.of(ALARM_LEVELS), "Status": 0}


# Adding a reader is a line here; the fields are of the official SDK's models, to which a test compares them.
RECORDS: dict[str, Callable[[Place], Record]] = {
    "DescribeVulList": _vulnerability,
    "DescribeGroupedVul": _grouped,
    "DescribeVulDetails": lambda at: {
        "CveId": f"CVE-2026-{1000 + at.number}",
        "CvssScore": f"{at.draw(100) / 10}",
        "Title": f"CVE {at.number}",
        "VulLevel": ("serious", *LEVELS)[at.draw(4)],
    },
    "DescribeCanFixVulList": _image_vulnerability,
    "DescribeEmgVulItem": lambda at: {
        "Name": f"emergency-{at.number}",
        "AliasName": f"Emergency {at.number}",
        "Status": 30 if at.draw(2) else 20,
        "PendingCount": at.draw(9),
        "Type": "emg",
    },
    "DescribeImageVulList": _image_vulnerability,
    "DescribeImageGroupedVulList": _grouped,
    "DescribeImageInstances": lambda at: {
        "Uuid": image_uuid_of(at.number),
        "Digest": f"{at.number:064x}",
        "RepoName": f"app-{at.number}",
        "RepoNamespace": "emulated",
        "Tag": "1.0",
        "VulCount": at.draw(9),
    },
    "DescribeImageBaselineCheckResult": lambda at: {
        "BaselineNameKey": f"baseline-{at.number}",
        "BaselineNameAlias": at.title(f"Baseline {at.number}", f"基线 {at.number}"),
        "BaselineClassAlias": "access_control",
        "BaselineNameLevel": at.of(LEVELS),
        "HighRiskItemCount": at.draw(9),
        "FirstScanTime": at.first,
        "LastScanTime": at.last,
        "Status": 0,
    },
    "DescribeImageSensitiveFileList": lambda at: {
        "SensitiveFileKey": f"key-{at.number}",
        "SensitiveFileName": at.title(f"Private key {at.number}", f"私钥 {at.number}"),
        "ClassKey": "password",
        "RiskLevel": at.of(LEVELS),
        "FirstScanTime": at.first,
        "LastScanTime": at.last,
        "Count": 1,
    },
    "DescribeGroupedMaliciousFiles": lambda at: {
        "MaliciousMd5": at.md5,
        "MaliciousKey": f"key-{at.number}",
        "MaliciousName": f"Trojan {at.number}",
        "Level": at.of(ALARM_LEVELS),
        "ImageCount": 1,
    },
    "DescribeAffectedMaliciousFileImages": _malicious_file,
    "DescribeSuspEvents": _alert,
    "ListCheckResult": _cloud_check,
    "ListCheckInstanceResult": lambda at: {
        "Id": at.id,
        "InstanceId": f"bucket-{at.number}",
        "RegionId": "cn-hangzhou",
        "Status": "NOT_PASS",
    },
    "ListCheckItemWarningSummary": _check,
    "ListCheckItemWarningMachine": _check_machine,
    "DescribeCheckWarnings": lambda at: {
        "CheckWarningId": at.id,
        "CheckId": 1000 + at.number,
        "Item": f"Check {at.number}",
        "Level": at.of(LEVELS),
        "Status": 1,
        "Uuid": uuid_of(at.machine),
    },
    "DescribeWarningMachines": lambda at: {**_machine(at), "HighWarningCount": at.draw(9), "Status": 1},
    "ListVirusScanMachine": lambda at: {**_machine(at), "EventCount": 2},
    "ListVirusScanMachineEvent": lambda at: {
        "EventId": at.id,
        "EventName": f"Trojan {at.number}",
        "Level": at.of(ALARM_LEVELS),
        "LastTimeStamp": at.last,
    },
    "DescribePropertyPortDetail": lambda at: {**_machine(at), "Port": str(1024 + at.number), "Proto": "tcp"},
    "DescribePropertyProcDetail": lambda at: {**_machine(at), "Name": f"process-{at.number}", "Pid": str(at.number)},
    "DescribePropertySoftwareDetail": lambda at: {**_machine(at), "Name": f"package-{at.number}", "Version": "1.0"},
    "DescribePropertyUserDetail": lambda at: {**_machine(at), "User": f"user-{at.number}", "IsRoot": "0"},
    "DescribePropertyCronDetail": lambda at: {**_machine(at), "Cmd": f"job-{at.number}", "Period": "0 * * * *"},
    "DescribePropertyScaDetail": lambda at: {**_machine(at), "Name": f"jar-{at.number}", "BizTypeDispaly": "Jar"},
    "GetAssetsPropertyDetail": lambda at: {**_machine(at), "ModuleName": f"module-{at.number}"},
    "DescribeCloudCenterInstances": _asset,
    "ListCloudAssetInstances": lambda at: {
        "InstanceId": f"bucket-{at.number}",
        "AssetType": 3,
        "AssetSubType": "0",
        "RegionId": "cn-hangzhou",
        "RiskStatus": "YES",
    },
    "DescribeExposedInstanceList": _exposure,
    "DescribeIdcProbeScanResultList": lambda at: {"ScanResultId": at.id, "ScannedIp": "10.0.0.1", "Os": "linux"},
    "ListAgentlessMaliciousFiles": lambda at: {
        "Id": at.id,
        "Level": at.of(ALARM_LEVELS),
        "MaliciousMd5": at.md5,
        "Uuid": uuid_of(at.machine),
    },
    "ListObjectScanEvent": lambda at: {"EventId": at.id, "RiskLevel": at.of(LEVELS), "OssKey": f"{at.number}.bin"},
    "ListAttackPathEvent": lambda at: {"EventId": at.id, "RiskLevel": at.of(LEVELS), "PathName": f"path-{at.number}"},
    "DescribeVulWhitelist": lambda at: {"Id": str(at.id), "Name": f"entry-{at.number}", "Type": "cve"},
    "ListHoneypotAlarmEvents": lambda at: {"AlarmEventId": at.id, "RiskLevel": at.of(LEVELS), "EventCount": 1},
    "DescribeAccesskeyLeakList": lambda at: {"Id": at.id, "AccesskeyId": f"LTAI{at.number}", "Status": "pending"},
}
