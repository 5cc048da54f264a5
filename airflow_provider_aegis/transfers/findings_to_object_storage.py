"""Findings of Security Center into object storage, whole or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.validation import check_choice
from airflow_provider_aegis.client.readers import find_findings
from airflow_provider_aegis.compat import BaseOperator, ObjectStoragePath
from airflow_provider_aegis.exceptions import AccountsSkippedError
from airflow_provider_aegis.hooks.connection import CONN_NAME
from airflow_provider_aegis.operators.base import AegisTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_aegis.findings.manifest import Manifest, Previous
    from airflow_provider_aegis.hooks.findings import Findings

OnSkipped = Literal["warn", "fail"]
SECONDS_BETWEEN_LOG_LINES = 30.0

log = logging.getLogger(__name__)


class AegisFindingsToObjectStorageOperator(AegisTask, BaseOperator):
    """Writes a set of findings into a folder of object storage, whole or not at all.

    A reader trusts the manifest, ``_manifest.json``, which is written last and names every part with its SHA-256. A try
    that is killed leaves nothing that a manifest names, and the next one starts afresh; one whose export is finished
    already returns it. Give every run a folder of its own.

    :param findings: name of the set, as ``vulnerabilities``; ``docs/read_findings.md`` lists them (templated).
    :param path: the folder: any address that Airflow's object storage knows, as
        ``s3://bucket/findings/run_id={{ run_id }}`` (templated).
    :param object_storage_conn_id: id of the connection to the storage, where it needs one (templated).
    :param file_format: ``jsonl``, ``jsonl.gz``, ``jsonl.zst``, ``parquet``, ``csv``, or ``json`` for DefectDojo.
    :param shape: ``api`` (the API's records), ``ocsf`` (events of OCSF 1.8.0) or ``defectdojo`` (Generic Findings).
    :param params_of_findings: further parameters of the operations that read the set, under the API's own names
        (templated).
    :param accounts: ``None`` for the connection's own account, a list of account ids, or ``"all"`` for every account of
        the organisation (templated).
    :param on_skipped: ``warn`` or ``fail`` if an account cannot be read.
    :param settle: wait before reading until the count of the set stands still: that of an image scan may lag its end.
    :param once_task_id: id of the scan that found them, for the manifest (templated).
    :param previous: address of the manifest of the export before, which makes a chain (templated).
    :param aegis_conn_id: id of the connection to Security Center (templated).
    :param region: wins over the connection's region, as ``cn-hangzhou`` (templated).
    :return: what the manifest says in short: ``uri``, ``sha256``, ``records``, ``parts``, ``bytes`` … An outlet of the
        task gets it as the extra of its event.
    :raises ConfigurationError: naming the argument that cannot be used, before the first request.
    :raises ExportError: if the folder cannot be written, before the first request; or if another export is in it.
    :raises AccountsSkippedError: with ``on_skipped="fail"``; nothing is written then.
    :raises SecurityCenterError: if a page cannot be had; nothing is written then.
    """

    template_fields: Sequence[str] = (
        "findings",
        "path",
        "object_storage_conn_id",
        "params_of_findings",
        "accounts",
        "once_task_id",
        "previous",
        "aegis_conn_id",
        "region",
    )
    ui_color = "#e3f0d8"

    def __init__(
        self,
        *,
        findings: str,
        path: str,
        object_storage_conn_id: str | None = None,
        file_format: str = "jsonl.gz",
        shape: str = "api",
        params_of_findings: Mapping[str, Any] | None = None,
        accounts: Sequence[str] | str | None = None,
        on_skipped: OnSkipped = "warn",
        settle: bool = False,
        once_task_id: str | None = None,
        previous: str | None = None,
        aegis_conn_id: str = CONN_NAME,
        region: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.findings = findings
        self.path = path
        self.object_storage_conn_id = object_storage_conn_id
        self.file_format = file_format
        self.shape = shape
        self.params_of_findings = params_of_findings
        self.accounts = accounts
        self.on_skipped = on_skipped
        self.settle = settle
        self.once_task_id = once_task_id
        self.previous = previous
        self.aegis_conn_id = aegis_conn_id
        self.region = region
        check_choice("on_skipped", on_skipped, get_args(OnSkipped))

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the findings, write them, and return the manifest in short."""
        from airflow_provider_aegis.findings.export import Export
        from airflow_provider_aegis.findings.writers import check_format

        find_findings(self.findings)
        check_format(self.file_format, self.shape)
        shaped = self._shaping()
        previous = self._previous()
        with Export(self._storage(self.path), owner=owner_of(context)) as export:
            if export.finished:
                log.info("An earlier try finished this export: %s. Delete it to export anew.", export.uri)
                manifest = export.finished
            else:
                with self.hook, self.explained(context):
                    self.show_console(context)
                    manifest = self._export(export, shaped, previous)
        summary = manifest.summary()
        for outlet in self.outlets or ():
            context["outlet_events"][outlet].extra = summary
        return summary

    def _export(self, export: Any, shaped: Callable[[Any], Any], previous: Previous | None) -> Manifest:
        from airflow_provider_aegis.findings.fields import COLUMNS_VERSION, fields_of
        from airflow_provider_aegis.findings.manifest import SkippedAccount
        from airflow_provider_aegis.findings.writers import write_parts

        params = self.params_of_findings or {}
        if self.settle:
            log.info("%s", self.hook.settle_findings(self.findings, **params))
        found = self.hook.read_findings(self.findings, accounts=self.accounts, **params)
        parts = write_parts(
            map(shaped, self._reported(found)),
            export.open_part,
            file_format=self.file_format,
            fields=fields_of(self.findings),
            shape=self.shape,
            prefix=export.part_prefix,
        )
        for account, reason in found.skipped.items():
            log.warning("Account %s could not be read: %s", account, reason)
        if found.skipped and self.on_skipped == "fail":
            raise AccountsSkippedError(
                f"Grant the permission, or set on_skipped='warn': {len(found.skipped)} accounts could not be read, and "
                f"nothing was exported. {found.skipped}"
            )
        counts = found.counts
        manifest: Manifest = export.commit(
            findings=self.findings,
            file_format=self.file_format,
            shape=self.shape,
            parts=tuple(parts),
            records=counts.records,
            pages=counts.pages,
            duplicates=counts.duplicates,
            claimed_total=counts.claimed,
            request_ids=tuple(counts.request_ids),
            accounts=tuple(found.accounts),
            skipped_accounts=tuple(
                SkippedAccount(account=account, reason=reason) for account, reason in found.skipped.items()
            ),
            once_task_id=self.once_task_id or "",
            columns_version=COLUMNS_VERSION,
            previous=previous,
        )
        log.info("%d records of %s are in %s.", counts.records, self.findings, manifest.uri)
        return manifest

    def _shaping(self) -> Callable[[Any], Any]:
        """Return what makes of a record what is written."""
        from airflow_provider_aegis.findings import defectdojo, ocsf

        now = time.time_ns() // 1_000_000
        if self.shape == "ocsf":
            about = ocsf.Context(exported_ms=now, once_task_id=self.once_task_id or "")
            return ocsf.shape(self.findings, about)
        if self.shape == "defectdojo":
            return defectdojo.shape(self.findings, now)
        return lambda record: record

    def _previous(self) -> Previous | None:
        """Read the manifest of the export before."""
        from airflow_provider_aegis.findings.manifest import Previous
        from airflow_provider_aegis.findings.reading import open_export

        if not self.previous:
            return None
        try:
            _, manifest = open_export(self.previous, self._storage)
        except ConfigurationError as error:
            raise ConfigurationError(f"previous: {error}") from error
        return Previous(uri=self.previous, sha256=manifest.sha256)

    def _storage(self, path: str) -> Any:
        return ObjectStoragePath(path, conn_id=self.object_storage_conn_id)

    def _reported(self, found: Findings) -> Iterator[Mapping[str, Any]]:
        """Hand records on, and say now and then how far the export is."""
        began = reported = time.monotonic()
        for record in found:
            yield record
            now = time.monotonic()
            if now - reported >= SECONDS_BETWEEN_LOG_LINES:
                reported = now
                log.info("%s", progress(found.counts.records, found.counts.claimed, now - began))


def progress(records: int, claimed: int | None, seconds: float) -> str:
    """Say how far an export is, and when it may be over if the service told how many records there are."""
    if not claimed or records >= claimed or not records:
        return f"{records} records so far."
    return f"{records} of {claimed} records; about {seconds * (claimed - records) / records:.0f} s left."


def owner_of(context: Context) -> str:
    """Return what is the same for all tries of a task instance, and for no other one."""
    ti: Any = context["ti"]
    return "/".join(map(str, (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)))
