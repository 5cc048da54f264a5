"""A gate over the findings of an export."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.validation import check_choice
from airflow_provider_aegis.compat import AirflowSkipException, BaseOperator, ObjectStoragePath
from airflow_provider_aegis.exceptions import TooManyFindingsError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_aegis.findings.judgement import Allowance

OnBreach = Literal["fail", "skip", "continue"]

log = logging.getLogger(__name__)


class AegisFindingsGateOperator(BaseOperator):
    """Fails, or skips what follows, if an export has more findings of an urgency than may be.

    Only open findings count. Each part is checked against the manifest before it is read.

    :param manifest: address of the export's manifest, as ``{{ ti.xcom_pull(task_ids='export')['uri'] }}`` (templated).
    :param max_allowed: how many findings of each urgency may be, as ``{"asap": 0, "later": 20}``; one that it does not
        name has no limit (templated).
    :param allow_list: findings that do not count for a time: a list of entries with ``name``, ``owner``, ``reason``,
        ``expires`` (the last day) and maybe ``resource``; or the address of a JSON file with such a list (templated).
        An entry that has expired counts again, and is named.
    :param on_breach: ``fail`` the task (no retry can change it), ``skip`` it and what follows, or ``continue``: the
        task succeeds, and the DAG branches on ``breached`` of its result.
    :param object_storage_conn_id: id of the connection to the storage, where it needs one (templated).
    :return: ``breached``, ``counts``, ``limits``, ``breaches``, ``allowed``, ``expired``, ``worst`` and ``manifest``.
    :raises TooManyFindingsError: with ``on_breach="fail"``; says the counts, the ten worst, and where the export is.
    :raises ConfigurationError: naming the argument that cannot be used.
    :raises ManifestError: if a part of the export is not what its manifest says.
    """

    template_fields: Sequence[str] = ("manifest", "max_allowed", "allow_list", "object_storage_conn_id")
    ui_color = "#f7d8d8"

    def __init__(
        self,
        *,
        manifest: str,
        max_allowed: Mapping[str, int],
        allow_list: Sequence[Mapping[str, Any]] | str | None = None,
        on_breach: OnBreach = "fail",
        object_storage_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.max_allowed = max_allowed
        self.allow_list = allow_list
        self.on_breach = on_breach
        self.object_storage_conn_id = object_storage_conn_id
        check_choice("on_breach", on_breach, get_args(OnBreach))

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002  (Airflow hands it in)
        """Judge the findings of the export."""
        from airflow_provider_aegis.findings.fields import fields_of
        from airflow_provider_aegis.findings.judgement import judge, named
        from airflow_provider_aegis.findings.reading import open_export, read_records

        allow_list = self._allowances()
        folder, manifest = open_export(self.manifest, self._storage)
        fields = fields_of(manifest.findings)
        judgement = judge(
            map(fields.row, read_records(folder, manifest)),
            max_allowed=self.max_allowed,
            of=fields,
            allow_list=allow_list,
            today=datetime.now(UTC).date(),
        )
        text = f"{judgement} The export: {manifest.uri}"
        if judgement.breached and self.on_breach == "fail":
            raise TooManyFindingsError(text)
        if judgement.breached and self.on_breach == "skip":
            raise AirflowSkipException(text)
        log.log(logging.WARNING if judgement.breached else logging.INFO, "%s", text)
        return {
            "breached": judgement.breached,
            "counts": judgement.counts,
            "limits": judgement.limits,
            "breaches": {urgency: list(pair) for urgency, pair in judgement.breaches.items()},
            "allowed": judgement.allowed,
            "expired": list(map(str, judgement.expired)),
            "worst": list(map(named, judgement.worst)),
            "manifest": manifest.uri,
        }

    def _allowances(self) -> tuple[Allowance, ...]:
        from airflow_provider_aegis.findings.judgement import read_allow_list
        from airflow_provider_aegis.findings.storage import Folder

        entries: Any = self.allow_list
        if not entries:
            return ()
        if isinstance(entries, str):
            root, _, name = entries.rpartition("/")
            data = Folder(self._storage(root)).read(name)
            if data is None:
                raise ConfigurationError(f"allow_list: there is no file {entries!r:.200}.")
            try:
                entries = json.loads(data)
            except ValueError as error:
                raise ConfigurationError(f"allow_list: {entries!r:.200} is not JSON: {error}") from error
        return read_allow_list(entries)

    def _storage(self, path: str) -> Any:
        return ObjectStoragePath(path, conn_id=self.object_storage_conn_id)
