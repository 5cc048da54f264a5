"""The hook: a client of Security Center with the credentials of an Airflow connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_aegis.client.config import ClientConfig
from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.flows.exchange import Flow, exchange
from airflow_provider_aegis.client.flows.paginate import Pages
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.client.protocol.operations import Call, call, find_operation
from airflow_provider_aegis.client.protocol.validation import as_text, check_text, optional_text
from airflow_provider_aegis.compat import AirflowNotFoundException, BaseHook
from airflow_provider_aegis.hooks.connection import CONN_NAME, CONN_TYPE, HOOK_NAME, parse_connection
from airflow_provider_aegis.hooks.findings import ReadsFindings
from airflow_provider_aegis.hooks.masking import amask, mask

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_aegis.client.transport.blocking import BlockingTransport

T = TypeVar("T")


def _optional_id(name: str, value: object) -> str | None:
    return None if value is None else once_task.check_id(name, value)


class AegisHook(ReadsFindings, BaseHook):
    """Calls Alibaba Cloud Security Center (Sas 2018-12-03) with the credentials of an Airflow connection.

    Every method returns the API's payload unchanged, so the vendor's documentation applies to it. Reads are retried;
    a write is not sent again if it is open whether the first one arrived.

    :param aegis_conn_id: id of a connection of the type ``aegis``, or of the type ``alibaba_cloud``.
    :param region: region of the assets, as ``cn-hangzhou``; replaces the connection's region, never its host.
    """

    conn_name_attr = "aegis_conn_id"
    default_conn_name = CONN_NAME
    conn_type = CONN_TYPE
    hook_name = HOOK_NAME

    def __init__(self, aegis_conn_id: str = CONN_NAME, region: str | None = None) -> None:
        super().__init__()
        self.aegis_conn_id = as_text("aegis_conn_id", aegis_conn_id)
        self.region = None if region is None else as_text("region", region)
        self._transport: BlockingTransport | None = None

    @cached_property
    def config(self) -> ClientConfig:
        """The configuration that the connection describes, read when it is first needed.

        :raises ConfigurationError: if a field of the connection cannot be used.
        """
        # Not in a variable: error trackers send those of a traceback, and a connection's repr contains the password.
        return replace(parse_connection(self._look_up(), region=self.region), on_secret=mask, on_secret_async=amask)

    async def aget_config(self) -> ClientConfig:
        """Read the connection without blocking the event loop.

        :raises ConfigurationError: if a field of the connection cannot be used.
        """
        if not hasattr(BaseHook, "aget_connection"):  # below Airflow 3.1
            return await asyncio.to_thread(lambda: self.config)
        config = parse_connection(await self._alook_up(), region=self.region)
        return replace(config, on_secret=mask, on_secret_async=amask)

    def run_flow(self, flow: Flow[T]) -> T:
        """Run one of the client's flows.

        :return: what the flow returns.
        :raises SecurityCenterError: as the flow raises it.
        """
        if self._transport is None:
            from airflow_provider_aegis.client.transport.blocking import BlockingTransport

            self._transport = BlockingTransport(self.config)
        return self._transport.run_flow(flow)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """Call any operation of Security Center.

        :param action: the operation's name, as ``DescribeVulList``. One that this package does not know counts as a
            read if it begins with Describe, Get, List, Query or Check, and as a write otherwise.
        :param params: the operation's parameters under the API's own names; ``None`` is dropped, lists and dicts are
            flattened as the API expects them.
        :return: the answer's JSON object.
        :raises SecurityCenterError: if the call fails; see :mod:`airflow_provider_aegis.client.errors`.
        """
        return self._exchange(call(action, **params))

    def generate_once_task(
        self,
        *,
        once_task_type: str,
        once_task_name: str | None = None,
        param: Mapping[str, Any] | str | None = None,
        source: str | None = None,
    ) -> dict[str, Any]:
        """Start a one-time task (API: GenerateOnceTask). It is not idempotent: every call may start another scan.

        :param once_task_type: as ``ASSETS_COLLECTION``, ``VUL_CHECK_TASK`` or ``IMAGE_SCAN``; the set is open.
        :param once_task_name: default: the type.
        :param param: options of the task, a mapping or the text of a JSON object.
        :param source: free text that says where the task comes from.
        :return: ``CanCreate``, ``TaskId``, ``LastTask``, ``CollectTime`` and counts; nothing was started if
            ``CanCreate`` is false.
        :raises OutcomeUnknownError: if it is open whether the task was started.
        """
        return self._exchange(
            once_task.generate_once_task(
                once_task_type=once_task_type, once_task_name=once_task_name, param=param, source=source
            )
        )

    def get_once_task_result_info(
        self, *, once_task_id: str, once_task_type: str, once_task_name: str | None = None
    ) -> dict[str, Any]:
        """Read the status of a task (API: GetOnceTaskResultInfo).

        :return: ``TaskInfo.Status``, ``FinishCount``, ``TotalCount``, ``CollectTime``;
            :class:`~airflow_provider_aegis.client.jobs.once_task.OnceTaskResult` reads them.
        """
        ref = once_task.OnceTaskRef(
            once_task_type=once_task_type, once_task_name=once_task_name, once_task_id=once_task_id
        )
        return self._exchange(ref.read())

    def get_last_once_task_info(
        self, *, once_task_type: str, once_task_name: str | None = None, source: str | None = None
    ) -> dict[str, Any]:
        """Read the status of the last task of a type (API: GetLastOnceTaskInfo).

        :param source: only tasks of this source.
        """
        ref = once_task.OnceTaskRef(once_task_type=once_task_type, once_task_name=once_task_name)
        return self._exchange(ref.read_last(source))

    def describe_once_task(
        self,
        *,
        once_task_type: str | None = None,
        root_task_id: str | None = None,
        once_task_id: str | None = None,
        source: str | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        page_size: int = 50,
    ) -> Iterator[dict[str, Any]]:
        """Read tasks and their results (API: DescribeOnceTask), page by page.

        :param once_task_type: this or ``root_task_id`` must be given.
        :param start_time: only tasks from here on, UNIX epoch milliseconds.
        :param end_time: only tasks up to here, UNIX epoch milliseconds.
        :return: one payload for each page, with ``TaskManageResponseList`` and ``PageInfo``.
        """
        once_task_type = optional_text("once_task_type", once_task_type)
        if not once_task_type and not root_task_id:
            raise ConfigurationError(
                "once_task_type or root_task_id must be given: describe_once_task needs one of them."
            )
        return self._pages(
            "DescribeOnceTask",
            page_size,
            TaskType=once_task_type,
            RootTaskId=_optional_id("root_task_id", root_task_id),
            TaskId=_optional_id("once_task_id", once_task_id),
            Source=optional_text("source", source),
            StartTimeQuery=start_time,
            EndTimeQuery=end_time,
        )

    def describe_once_task_leaf_record_page(
        self,
        *,
        once_task_type: str,
        once_task_id: str | None = None,
        relate_info: bool = True,
        status_list: list[str] | None = None,
        source: str | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        page_size: int = 50,
    ) -> Iterator[dict[str, Any]]:
        """Read the parts of a task (API: DescribeOnceTaskLeafRecordPage), page by page.

        :param relate_info: bring ``TaskImageInfo`` with each record.
        :param status_list: only records in one of these states.
        :param start_time: only records from here on, UNIX epoch milliseconds.
        :param end_time: only records up to here, UNIX epoch milliseconds.
        :return: one payload for each page, with ``OnceTasks`` and ``PageInfo``.
        """
        return self._pages(
            "DescribeOnceTaskLeafRecordPage",
            page_size,
            TaskType=check_text("once_task_type", once_task_type),
            TaskId=_optional_id("once_task_id", once_task_id),
            RelateInfo=relate_info,
            StatusList=status_list,
            Source=optional_text("source", source),
            StartTime=start_time,
            EndTime=end_time,
        )

    def list_unfinished_once_task(self, *, once_task_type: str, target: str | None = None) -> dict[str, Any]:
        """Read the tasks that have not ended (API: ListUnfinishedOnceTask).

        :param target: image digest or machine UUID; the service may refuse a call without it (code -101).
        :return: ``OnceTasks``.
        """
        once_task_type, target = check_text("once_task_type", once_task_type), optional_text("target", target)
        return self.call("ListUnfinishedOnceTask", TaskType=once_task_type, Target=target)

    def cancel_once_task(self, *, once_task_id: str) -> dict[str, Any]:
        """Cancel a task (API: CancelOnceTask). The service documents no answer for a task that has ended."""
        return self._exchange(once_task.cancel_once_task(once_task_id))

    def test_connection(self) -> tuple[bool, str]:
        """Make one cheap read. Return whether all is well, and what answered or what is wrong."""
        from airflow_provider_aegis.hooks.probe import connection_test

        with self:
            return connection_test(self)

    def sibling(self) -> AegisHook:
        """Return a second hook with its own HTTP connection; the Airflow connection is not read again."""
        other = AegisHook(aegis_conn_id=self.aegis_conn_id, region=self.region)
        other.config = self.config
        return other

    def close(self) -> None:
        """Close the HTTP connection; the next call opens another."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def __getstate__(self) -> dict[str, Any]:
        """Copy neither the HTTP connection nor the secrets: a copy reads the Airflow connection itself."""
        return {name: value for name, value in vars(self).items() if name != "config"} | {"_transport": None}

    def __enter__(self) -> AegisHook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look_up(self) -> Any:
        try:
            conn = self.get_connection(self.aegis_conn_id)
        except AirflowNotFoundException as error:
            raise self._undefined() from error
        with suppress(ValueError, RecursionError):  # the parser names an extra that is not JSON
            _ = conn.extra_dejson  # reading it hands its secrets to Airflow's masker
        return conn

    async def _alook_up(self) -> Any:
        try:
            conn = await BaseHook.aget_connection(self.aegis_conn_id)
        except AirflowNotFoundException as error:
            raise self._undefined() from error
        with suppress(ValueError, RecursionError):
            _ = await conn.aextra_dejson() if hasattr(conn, "aextra_dejson") else conn.extra_dejson
        return conn

    def _undefined(self) -> ConfigurationError:
        return ConfigurationError(
            f"Connection {self.aegis_conn_id!r} is not defined: create it with the type {HOOK_NAME!r}, or set "
            f"AIRFLOW_CONN_{self.aegis_conn_id.upper()}."
        )

    def _exchange(self, call: Call) -> dict[str, Any]:
        return self.run_flow(exchange(self.config, call))

    def _pages(self, action: str, page_size: int, **params: Any) -> Iterator[dict[str, Any]]:
        pages = Pages(find_operation(action).items or "", page_size, key=("TaskId",), ahead=1)
        while paging := pages.params:
            payload = self.call(action, **params, **paging[0])
            (fresh,) = pages.read([payload])
            if fresh or pages.counts.pages == 1:
                yield payload
