"""Fuzz target: an answer, and everything that reads what the service put into it.

The bytes are a status, an operation and headers, a line each, an empty line, and the body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_aegis.client.errors import ConfigurationError, ConflictError, SecurityCenterError, from_dict
from airflow_provider_aegis.client.flows import exchange as flows
from airflow_provider_aegis.client.flows import rate_limit
from airflow_provider_aegis.client.flows.exchange import Flow, Patience, exchange
from airflow_provider_aegis.client.flows.find_submitted import Submission, find_running, find_submitted, new_source
from airflow_provider_aegis.client.flows.paginate import Pages
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.submit import await_vacancy, snapshot, submit
from airflow_provider_aegis.client.flows.wait import Ending, wait
from airflow_provider_aegis.client.jobs.once_task import (
    OnceTask,
    OnceTaskJudge,
    OnceTaskRef,
    OnceTaskResult,
    started_id,
    task_id_of,
)
from airflow_provider_aegis.client.protocol.operations import OPERATIONS
from airflow_provider_aegis.client.protocol.responses import Response, read_response
from tests.fakes import READ, START, Stage, answer, config

# More than any flow needs before its deadline; beyond, it would go on for ever.
MOST_REQUESTS = 300
SECONDS = 100.0
SUBMISSION = Submission(once_task_type="T", once_task_name="T")
CALLS = {"GenerateOnceTask": START, "GetOnceTaskResultInfo": READ}


def fuzz(data: bytes) -> None:
    """Read an answer in every way that the package has; only its own errors may come of it."""
    reply, action = parse(data)
    call = CALLS.get(action, READ)
    try:
        payload = read_response(reply, call)
    except SecurityCenterError as error:
        check_error(error)
    else:
        read_payload(payload)
    for memory in (flows.clock_offsets, flows.seen_offsets, rate_limit._limiters):
        memory.clear()
    stage = Stage(config(), [reply] * MOST_REQUESTS)
    try:
        CONVERSATIONS[len(data) % len(CONVERSATIONS)](stage)  # all of them would take too long for one input
    except SecurityCenterError as error:
        check_error(error)
    assert all(0 < seconds <= SECONDS + throttle_pause(reply) for seconds in stage.slept)


def parse(data: bytes) -> tuple[Response, str]:
    """Make an answer of the fuzzer's bytes, and the name of the operation that it answers."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("utf-8", "surrogateescape").split("\n")
    status, _, action = first.partition(" ")
    known = int(status) if status.isascii() and status.isdecimal() and len(status) == 3 else 200
    pairs = (line.partition(": ") for line in lines)
    return Response(known, {name.lower(): value for name, _, value in pairs}, body), action


def throttle_pause(reply: Response) -> float:
    """How long the answer itself asked to wait, at the most."""
    return flows.LONGEST_RETRY_AFTER if "x-acs-retry-after" in reply.headers else 0.0


def check_error(error: SecurityCenterError) -> None:
    """An error is one printable line, and survives the way through JSON."""
    text = str(error)
    assert text.isprintable(), repr(text)
    assert len(text) < 10_000, f"{len(text)} characters"
    known = json.loads(json.dumps(error.as_dict()))
    again = from_dict(known)
    assert (type(again), str(again)) == (type(error), text)


def read_payload(payload: Mapping[str, Any]) -> None:
    """Read everything that is read of an answer that says that all is well."""
    result = OnceTaskResult(payload)
    assert (result.status or "").isprintable()
    assert result.request_id.isprintable()
    assert result.progress is None or 0 <= result.progress <= 1
    assert result.phase
    assert result.collect_time is None or result.collect_time.utcoffset() is not None
    for operation in OPERATIONS.values():
        pages = Pages(operation.items or "", 50)
        assert len(pages.read([payload])) == 1
        assert pages.params == [{"PageSize": 50, "CurrentPage": 2 + ahead} for ahead in range(len(pages.params))]
    try:
        once_task_id = started_id(payload)
    except (ConflictError, SecurityCenterError) as error:
        check_error(error)
    else:
        assert task_id_of(once_task_id) == once_task_id
        assert OnceTaskRef(once_task_id=once_task_id, once_task_type="T").read().query.isascii()


def _exchange(stage: Stage) -> None:
    stage.run_flow(exchange(stage.config, READ, deadline=SECONDS))
    stage.run_flow(exchange(stage.config, START))


def _wait(stage: Stage) -> None:
    ending = stage.run_flow(
        wait(
            stage.config,
            READ,
            judge=OnceTaskJudge(),
            poll_interval=PollInterval(10.0, 20.0),
            deadline=SECONDS,
            patience=Patience.EVERY_ERROR,
        )
    )
    event = json.loads(json.dumps(ending.as_dict()))
    assert Ending.from_dict(event).outcome is ending.outcome


def _start(stage: Stage) -> None:
    def flow() -> Flow[object]:
        submission = yield from snapshot(stage.config, SUBMISSION, deadline=SECONDS)
        return (yield from submit(stage.config, OnceTask(once_task_type="T"), submission, deadline=SECONDS))

    stage.run_flow(flow())


def _find(stage: Stage) -> None:
    submission = replace(SUBMISSION, since=stage.clock.time(), source=new_source())
    stage.run_flow(find_submitted(stage.config, submission, deadline=SECONDS))


def _running(stage: Stage) -> None:
    stage.run_flow(find_running(stage.config, SUBMISSION.ref, deadline=SECONDS))


def _vacancy(stage: Stage) -> None:
    stage.run_flow(await_vacancy(stage.config, SUBMISSION.ref, first_delay=10.0, deadline=SECONDS))


CONVERSATIONS: tuple[Callable[[Stage], None], ...] = (_exchange, _wait, _start, _find, _running, _vacancy)
OWN_ERRORS = (SecurityCenterError, ConfigurationError)


def seed(status: int, action: str, body: Mapping[str, Any] | str, /, **headers: str) -> bytes:
    """Write an answer as the fuzzer's bytes."""
    reply = answer(body, status, **headers)
    lines = "".join(f"\n{name}: {value}" for name, value in reply.headers.items())
    return f"{status} {action}{lines}\n\n".encode() + reply.body


NAMES = (
    *("Code", "Message", "HostId", "RequestId", "Recommend", "OperateCode", "AccessDeniedDetail", "CollectTime"),
    *("TaskId", "CanCreate", "TaskInfo", "Status", "Progress", "TotalCount", "FinishCount", "PageInfo", "PageSize"),
)
# What the fuzzer puts together.
WORDS = (
    *(f'"{name}":' for name in NAMES),
    *('"Throttling"', '"TaskRepeat"', '"NoPermission"', '"SUCCESS"', '"PROCESSING"', '"10%"', '"a":', '"":"'),
    *("\nx-acs-retry-after: ", "\ndate: ", "1e308", "NaN", "-1", "null", "\\ud800", "\\u001b", "[[[[[[[[", '{"a":'),
)

DATE = {"date": "Fri, 02 Jan 2026 03:04:05 GMT"}
STARTED = {"RequestId": "R", "CanCreate": True, "TaskId": "b8c7f0", "CollectTime": 1671184531000, "LastTask": "a\n"}
RESULT = {"RequestId": "R", "CollectTime": 1671184531000, "TotalCount": 44, "FinishCount": "47", "TaskId": 0}
RECORD = {"TaskId": "b8c7f0", "TaskName": "T", "TaskStartTime": 1767323045000, "StartTime": 1767323045000}
PAGE = {"CurrentPage": 1, "PageSize": 50, "TotalCount": 90, "Count": 50}
ENVELOPE = {"RequestId": "R", "HostId": "tds.cn-shanghai.aliyuncs.com", "Code": "NoPermission", "Message": "No."}
SEEDS = (
    seed(200, "GenerateOnceTask", STARTED, **DATE),
    seed(200, "GenerateOnceTask", {"RequestId": "R", "CanCreate": False}),
    seed(200, "GetOnceTaskResultInfo", {**RESULT, "TaskInfo": {"Status": "SUCCESS", "Progress": "10%"}}, **DATE),
    seed(200, "GetOnceTaskResultInfo", {**RESULT, "TaskInfo": {"Status": "PROCESSING"}}),
    seed(200, "DescribeOnceTask", {"PageInfo": PAGE, "TaskManageResponseList": [RECORD], "OnceTasks": [RECORD]}),
    seed(403, "GetOnceTaskResultInfo", {**ENVELOPE, "AccessDeniedDetail": {"AuthAction": "yundun-sas:X"}}),
    seed(400, "GetOnceTaskResultInfo", {**ENVELOPE, "Code": "Throttling.User"}, x_acs_retry_after="1500"),
    seed(400, "GenerateOnceTask", {**ENVELOPE, "Code": "InvalidTimeStamp.Expired"}, **DATE),
    seed(400, "GenerateOnceTask", {**ENVELOPE, "Code": "SignatureNonceUsed"}, x_acs_request_id="R2"),
    seed(503, "GetOnceTaskResultInfo", "<html>bad gateway</html>"),
    seed(200, "GetOnceTaskResultInfo", {"a": [[[[[[1e3]]]]]], "TaskInfo": None, "requestId": "r"}),
)
