"""Links to Security Center's pages, built without a call.

A task writes the addresses into XCom as soon as it knows them, so that they are there while it runs or is deferred,
after a failure, and on each mapped task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_aegis.client.protocol.endpoints import CONSOLES, TROUBLESHOOTING, Site
from airflow_provider_aegis.compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey


class _StoredLink(BaseOperatorLink):
    """A link whose address the task has stored."""

    @property
    def xcom_key(self) -> str:
        """The XCom key under which Airflow 3 looks for the address."""
        return f"_link_{type(self).__name__}"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Return the stored address, or an empty text."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""

    def store(self, context: Context, address: str) -> None:
        """Store the address for a running task."""
        context["ti"].xcom_push(key=self.xcom_key, value=address)


class SecurityCenterLink(_StoredLink):
    """Opens the console of the site that the account belongs to; the assets' region is chosen in the page."""

    name = "Security Center"


class RequestDiagnosisLink(_StoredLink):
    """Opens the service's own page about a request of the task: the last one that told something new."""

    name = "Request diagnosis"


def console_address(site: Site) -> str:
    """Return the address of the console."""
    return CONSOLES[site]


def diagnosis_address(site: Site, *, request_id: str, code: str = "", recommend: str = "") -> str:
    """Return the address of the service's page about a request.

    :param recommend: the address that an error answer brought with it; wins if it is there.
    """
    if recommend:
        return recommend
    query: dict[str, Any] = {"intl_lang": "EN_US"} if site == "international" else {}
    query |= {"q": code} if code else {}
    return f"{TROUBLESHOOTING[site]}?{urlencode(query | {'product': 'Sas', 'requestId': request_id})}"
