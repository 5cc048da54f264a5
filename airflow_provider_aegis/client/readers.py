"""The named sets of findings, and how readers and sets are looked up.

A new set is one entry in :data:`FINDINGS`, a new reader one in
:data:`~airflow_provider_aegis.client.reader_table.READERS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, get_args

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.operations import find_operation
from airflow_provider_aegis.client.reader_table import ACCOUNT as ACCOUNT
from airflow_provider_aegis.client.reader_table import READERS as READERS
from airflow_provider_aegis.client.reader_table import Paging as Paging
from airflow_provider_aegis.client.reader_table import Reader as Reader


@dataclass(frozen=True, slots=True)
class Read:
    """One list of a set.

    :param params: parameters of the operation.
    """

    action: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsSet:
    """Findings that belong together.

    :param reads: the lists that they come from, one after another.
    :param once_task_types: the scans that find them.
    """

    reads: tuple[Read, ...]
    once_task_types: tuple[str, ...] = ()


_IMAGE_SCANS = ("IMAGE_SCAN", "IMAGE_REGISTRY_PULL")

FINDINGS: dict[str, FindingsSet] = {
    "vulnerabilities": FindingsSet(
        reads=(
            Read("DescribeVulList", {"Type": "cve"}),
            Read("DescribeVulList", {"Type": "sys"}),
            Read("DescribeVulList", {"Type": "cms"}),
            # Without AttachTypes the findings of software composition analysis are missing.
            Read("DescribeVulList", {"Type": "app", "AttachTypes": "sca"}),
            Read("DescribeVulList", {"Type": "emg"}),
        ),
        once_task_types=("VUL_CHECK_TASK",),
    ),
    "image_vulnerabilities": FindingsSet(
        reads=(Read("DescribeImageVulList", {"Type": "cve"}),), once_task_types=_IMAGE_SCANS
    ),
    "image_baseline": FindingsSet(reads=(Read("DescribeImageBaselineCheckResult"),), once_task_types=_IMAGE_SCANS),
    "image_sensitive_files": FindingsSet(reads=(Read("DescribeImageSensitiveFileList"),), once_task_types=_IMAGE_SCANS),
    "image_malicious_files": FindingsSet(
        reads=(Read("DescribeAffectedMaliciousFileImages"),), once_task_types=_IMAGE_SCANS
    ),
    "baseline": FindingsSet(reads=(Read("ListCheckItemWarningMachine"),)),
    "cloud_configuration": FindingsSet(reads=(Read("ListCheckResult"),)),
    "alerts": FindingsSet(reads=(Read("DescribeSuspEvents"),)),
    "virus_events": FindingsSet(reads=(Read("ListVirusScanMachineEvent"),)),
    "exposures": FindingsSet(
        reads=(Read("DescribeExposedInstanceList"),), once_task_types=("ASSET_EXPOSURE_SCAN", "ATTACK_SURFACE_SCAN")
    ),
    "assets": FindingsSet(
        reads=(Read("DescribeCloudCenterInstances"),), once_task_types=("ASSETS_COLLECTION", "ASSET_SECURITY_CHECK")
    ),
}


def find_findings(name: str) -> FindingsSet:
    """Look a set of findings up.

    :raises ConfigurationError: if there is none of that name; the text says which there are.
    """
    if isinstance(name, str) and name in FINDINGS:
        return FINDINGS[name]
    raise ConfigurationError(f"findings {name!r:.60} is not known{_meant(name, FINDINGS)}: {', '.join(FINDINGS)}.")


def findings_of(once_task_type: str) -> tuple[str, ...]:
    """Return the names of the sets that a type of scan finds; none for a type that the table does not know."""
    return tuple(name for name, one in FINDINGS.items() if once_task_type in one.once_task_types)


def find_reader(
    action: str,
    *,
    records: str | None = None,
    key: str | Sequence[str] | None = None,
    paging: Paging | None = None,
    page_size: int | None = None,
) -> Reader:
    """Look a reader up, or describe one that the table does not have; what is given wins over the table.

    :param records: name of the list in an answer; has to be given for an operation that is not in the table.
    :param key: the field, or fields, that tell two records apart; the whole record does if it is not given.
    :param paging: ``page``, ``token`` or ``none``.
    :param page_size: records to ask for in a page.
    :raises ConfigurationError: naming the argument that cannot be used, and what there is.
    """
    known = READERS.get(find_operation(action).name)
    if known is None and not records:
        raise ConfigurationError(
            f"records is missing: {action} is not in the table of readers, so name the list in its answer (records), "
            f"the field that tells its records apart (key) and how it is paged (paging)"
            f"{_meant(action, READERS)}: {', '.join(READERS)}."
        )
    reader = known or Reader(action=action, records="", total="", lang=False)
    if paging is None:
        paging = reader.paging
    if paging not in get_args(Paging):
        raise ConfigurationError(f"paging must be one of {', '.join(get_args(Paging))}, not {paging!r:.40}.")
    if known and paging != known.paging and not (paging == "page" and known.paging == "token"):
        raise ConfigurationError(f"paging must be left out for {action}: it cannot be {paging!r}.")
    if page_size is not None and (isinstance(page_size, bool) or not isinstance(page_size, int) or page_size < 1):
        raise ConfigurationError(f"page_size must be a whole number from 1, not {page_size!r:.40}.")
    given = reader.key if key is None else (key,) if isinstance(key, str) else tuple(key)
    return replace(
        reader,
        records=records or reader.records,
        key=given,
        paging=paging,
        page_size=page_size or reader.page_size,
    )


def check_required(reader: Reader, params: Mapping[str, Any]) -> None:
    """Refuse parameters that lack one without which the service refuses the call.

    :raises ConfigurationError: naming the parameter.
    """
    for name in reader.required:
        iterated = reader.for_each is not None and name == reader.for_each.param
        if not iterated and params.get(name) in (None, ""):
            raise ConfigurationError(f"{name} is missing: {reader.action} cannot be read without it.")


def _meant(name: object, known: Mapping[str, object]) -> str:
    near = get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]}? There are" if near else "; there are"
