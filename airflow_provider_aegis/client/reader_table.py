"""The operations that list findings, as a table: a new reader is one entry.

A test compares every entry with the models of the official SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

# The parameter that names a member account of a resource directory.
ACCOUNT = "ResourceDirectoryAccountId"
# The limit that the documentation states most often.
PAGE_SIZE = 100

Paging: TypeAlias = Literal["page", "token", "none"]
Place: TypeAlias = Literal["", "top", "PageInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach:
    """Where a reader's records hang below those of another one.

    :param action: the outer reader.
    :param params: its parameters.
    :param param: parameter of the inner reader; it is copied into each inner record, which lacks it.
    :param source: the field of an outer record that gives its value; of the same name if empty.
    :param copied: further fields of the outer record that are copied into each inner one.
    """

    action: str
    param: str
    params: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    copied: tuple[str, ...] = ()

    @property
    def value_field(self) -> str:
        """The field of an outer record that gives the parameter's value."""
        return self.source or self.param


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An operation that gives a list.

    :param records: name of the list in an answer.
    :param key: fields that tell two records apart; empty where only the whole record does.
    :param paging: how it is read; ``token`` where the list does not shift while it is read, ``page`` can go side by
        side, ``none`` comes whole.
    :param total: where an answer says how many records there are.
    :param token: where an answer has the token of the next page.
    :param texts: parameters of paging that the API wants as text.
    :param page_size: records to ask for in a page.
    :param required: parameters without which the operation is refused, besides those of paging.
    :param urgency: the field that says how urgent a record is.
    :param accounts: whether it takes :data:`ACCOUNT`.
    :param lang: whether it takes ``Lang``.
    :param for_each: the reader whose records it is asked for one by one, where the caller names none.
    """

    action: str
    records: str
    key: tuple[str, ...] = ()
    paging: Paging = "page"
    total: Place = "PageInfo"
    token: Place = ""
    texts: tuple[str, ...] = ()
    page_size: int = PAGE_SIZE
    required: tuple[str, ...] = ()
    urgency: str = ""
    accounts: bool = False
    lang: bool = True
    for_each: ForEach | None = None


def _property(action: str, **what: Any) -> Reader:
    """A list of fingerprints; nothing but the whole record tells two of them apart."""
    known: dict[str, Any] = {"paging": "token", "token": "PageInfo", "accounts": True, "lang": False}
    return Reader(action=action, records="Propertys", **known | what)


_EACH_IMAGE = ForEach(
    action="DescribeImageInstances", params={"Scanned": True}, param="ImageUuid", source="Uuid", copied=("Digest",)
)

_READERS = (
    Reader(
        action="DescribeVulList",
        records="VulRecords",
        key=("PrimaryId",),
        paging="token",
        total="top",
        token="top",
        required=("Type",),
        urgency="Necessity",
        accounts=True,
    ),
    Reader(
        action="DescribeGroupedVul",
        records="GroupedVulItems",
        key=("Name", "Type"),
        total="top",
        urgency="AsapCount",
        accounts=True,
    ),
    Reader(
        action="DescribeVulDetails",
        records="Cves",
        key=("CveId", "OtherId", "Title"),
        paging="none",
        total="",
        required=("Name", "Type"),
        urgency="VulLevel",
        accounts=True,
    ),
    Reader(
        action="DescribeCanFixVulList",
        records="VulRecords",
        key=("PrimaryId",),
        total="",
        required=("Type",),
        urgency="Necessity",
        accounts=True,
        lang=False,
    ),
    Reader(
        action="DescribeEmgVulItem",
        records="GroupedVulItems",
        key=("Name",),
        total="top",
        page_size=50,
        urgency="Status",
        accounts=True,
    ),
    Reader(
        action="DescribeImageVulList",
        records="VulRecords",
        key=("PrimaryId",),
        total="top",
        required=("Type",),
        urgency="Necessity",
        accounts=True,
    ),
    Reader(
        action="DescribeImageGroupedVulList",
        records="GroupedVulItems",
        key=("Name", "Type"),
        total="top",
        urgency="AsapCount",
        accounts=True,
    ),
    Reader(action="DescribeImageInstances", records="ImageInstanceList", key=("Uuid",), urgency="VulCount", lang=False),
    Reader(
        action="DescribeImageBaselineCheckResult",
        records="BaselineResult",
        key=("ImageUuid", "BaselineNameKey", "BaselineClassAlias"),
        required=("ImageUuid",),
        urgency="BaselineNameLevel",
        for_each=_EACH_IMAGE,
    ),
    Reader(
        action="DescribeImageSensitiveFileList",
        records="SensitiveFileList",
        key=("ImageUuid", "SensitiveFileKey", "ClassKey"),
        urgency="RiskLevel",
        for_each=_EACH_IMAGE,
    ),
    Reader(
        action="DescribeGroupedMaliciousFiles",
        records="GroupedMaliciousFileResponse",
        key=("MaliciousMd5", "MaliciousKey"),
        texts=("PageSize",),
        urgency="Level",
    ),
    Reader(
        action="DescribeAffectedMaliciousFileImages",
        records="AffectedMaliciousFileImagesResponse",
        key=("Id", "ImageUuid", "Layer", "FilePath", "MaliciousMd5"),
        texts=("PageSize",),
        urgency="Level",
    ),
    Reader(
        action="DescribeSuspEvents",
        records="SuspEvents",
        key=("Id",),
        total="top",
        texts=("CurrentPage", "PageSize"),
        urgency="Level",
        accounts=True,
    ),
    Reader(action="ListCheckResult", records="Checks", key=("CheckId",), urgency="RiskLevel", accounts=True),
    Reader(
        action="ListCheckInstanceResult",
        records="BasicData",
        key=("CheckId", "Id", "InstanceId", "RegionId"),
        required=("CheckId",),
        urgency="Status",
        for_each=ForEach(action="ListCheckResult", param="CheckId", copied=("CheckShowName", "CheckType", "RiskLevel")),
    ),
    Reader(action="ListCheckItemWarningSummary", records="List", key=("CheckId",), urgency="CheckLevel", accounts=True),
    Reader(
        action="ListCheckItemWarningMachine",
        records="List",
        key=("CheckId", "Uuid", "ContainerId", "TargetId"),
        required=("CheckId",),
        urgency="CheckLevel",
        accounts=True,
        for_each=ForEach(
            action="ListCheckItemWarningSummary",
            param="CheckId",
            copied=("CheckItem", "CheckLevel", "CheckType"),
        ),
    ),
    Reader(
        action="DescribeCheckWarnings",
        records="CheckWarnings",
        key=("CheckWarningId",),
        total="top",
        required=("RiskId", "Uuid"),
        urgency="Level",
        accounts=True,
    ),
    Reader(
        action="DescribeWarningMachines",
        records="WarningMachines",
        key=("Uuid", "ContainerId"),
        total="top",
        required=("RiskId",),
        urgency="HighWarningCount",
    ),
    Reader(
        action="ListVirusScanMachine",
        records="Data",
        key=("Uuid",),
        urgency="EventCount",
        lang=False,
    ),
    Reader(
        action="ListVirusScanMachineEvent",
        records="Data",
        key=("Uuid", "EventId"),
        urgency="Level",
        for_each=ForEach(action="ListVirusScanMachine", param="Uuid", copied=("InstanceId",)),
    ),
    _property("DescribePropertyPortDetail"),
    _property("DescribePropertyProcDetail"),
    _property("DescribePropertySoftwareDetail", accounts=False),
    _property("DescribePropertyUserDetail"),
    _property("DescribePropertyCronDetail"),
    _property("DescribePropertyScaDetail", lang=True),
    _property("GetAssetsPropertyDetail", required=("Biz",), accounts=False, lang=True),
    Reader(
        action="DescribeCloudCenterInstances",
        records="Instances",
        key=("Uuid", "InstanceId"),
        paging="token",
        token="PageInfo",
        urgency="Importance",
        accounts=True,
    ),
    Reader(
        action="ListCloudAssetInstances",
        records="Instances",
        key=("InstanceId", "AssetType", "AssetSubType", "RegionId"),
        urgency="RiskStatus",
        accounts=True,
        lang=False,
    ),
    Reader(
        action="DescribeExposedInstanceList",
        records="ExposedInstances",
        key=("Uuid", "InstanceId", "ExposureIp", "ExposurePort", "ExposureType", "ExposureTypeId", "ExposureComponent"),
        urgency="AsapVulCount",
        accounts=True,
        lang=False,
    ),
    Reader(action="DescribeIdcProbeScanResultList", records="Instances", key=("ScanResultId",), lang=False),
    Reader(action="ListAgentlessMaliciousFiles", records="List", key=("Id",), texts=("PageSize",), urgency="Level"),
    Reader(action="ListObjectScanEvent", records="Data", key=("EventId",), urgency="RiskLevel"),
    Reader(action="ListAttackPathEvent", records="AttackPathEventList", key=("EventId",), urgency="RiskLevel"),
    Reader(action="DescribeVulWhitelist", records="VulWhitelists", key=("Id",), total="top", accounts=True),
    Reader(
        action="ListHoneypotAlarmEvents",
        records="HoneypotAlarmEvents",
        key=("AlarmEventId",),
        urgency="RiskLevel",
        lang=False,
    ),
    Reader(
        action="DescribeAccesskeyLeakList",
        records="AccessKeyLeakList",
        key=("Id",),
        total="top",
        accounts=True,
        lang=False,
    ),
    Reader(
        action="DescribeMonitorAccounts",
        records="AccountIdInfos",
        key=("AccountId",),
        paging="none",
        total="",
        lang=False,
    ),
)
READERS: dict[str, Reader] = {reader.action: reader for reader in _READERS}
