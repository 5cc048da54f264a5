"""What every operator and sensor of this provider has: a connection, a hook, and links to Security Center."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_aegis.client.errors import ConfigurationError, SecurityCenterError
from airflow_provider_aegis.client.jobs.once_task import OnceTaskResult, unknown_type_warning
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.links.security_center import (
    RequestDiagnosisLink,
    SecurityCenterLink,
    console_address,
    diagnosis_address,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

log = logging.getLogger(__name__)


class AegisTask:
    """Mixed into an operator or a sensor that has ``aegis_conn_id`` and ``region``."""

    operator_extra_links: Collection[BaseOperatorLink] = (SecurityCenterLink(), RequestDiagnosisLink())

    aegis_conn_id: str
    region: str | None

    @cached_property
    def hook(self) -> AegisHook:
        """The hook of this task's connection."""
        return AegisHook(aegis_conn_id=self.aegis_conn_id, region=self.region)

    @contextmanager
    def explained(self, context: Context) -> Iterator[None]:
        """Put the link to the diagnosis of a request into the UI if that request goes wrong."""
        try:
            yield
        except SecurityCenterError as error:
            self.show_request(context, error=error)
            raise

    def warn_of_type(self, once_task_type: str) -> None:
        """Warn of a type of scan that is not documented."""
        if warning := unknown_type_warning(once_task_type):
            log.warning("%s", warning)

    def show_console(self, context: Context) -> None:
        """Put the link to the console into the UI."""
        SecurityCenterLink().store(context, console_address(self.hook.config.site))

    def show_request(
        self,
        context: Context,
        *,
        payload: Mapping[str, Any] | None = None,
        error: SecurityCenterError | ConfigurationError | None = None,
    ) -> None:
        """Put the link to the diagnosis of the last request into the UI, if that request got an id.

        :param payload: what was answered.
        :param error: or what went wrong.
        """
        site = self.hook.config.site
        if isinstance(error, SecurityCenterError) and (error.request_id or error.recommend):
            address = diagnosis_address(site, request_id=error.request_id, code=error.code, recommend=error.recommend)
        elif request_id := OnceTaskResult(payload or {}).request_id:
            address = diagnosis_address(site, request_id=request_id)
        else:
            return
        RequestDiagnosisLink().store(context, address)
