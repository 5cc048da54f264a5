"""Airflow's public API, as a test wants to call it: start a run, wait for it, read what it left behind."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

#: The states in which a run stays.
RUN_ENDED = frozenset({"success", "failed"})
_POLL_INTERVAL = 0.2
_TRIES = 10

Response = TypeVar("Response")


class ApiError(Exception):
    """Airflow answered a request with an error."""

    def __init__(self, request: str, status: int, text: str) -> None:
        super().__init__(f"{request}: {status} {text[:500]}")
        self.status = status


class AirflowApi:
    """A client of the API of one Airflow."""

    def __init__(self, url: str) -> None:
        self.url = url
        # The environment may name a proxy, which knows nothing of this machine's loopback.
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def api(self, method: str, path: str, json: Any = None, **params: Any) -> Any:
        """Send one request to `/api/v2/<path>`, as the admin that everybody is, and return what the answer holds."""
        for _ in range(_TRIES):
            answer = self._http.request(method, f"/api/v2/{path.lstrip('/')}", json=json, params=params)
            if method not in ("GET", "PATCH") or "Database error" not in answer.text:
                break
            time.sleep(_POLL_INTERVAL)  # sqlite is locked now and then when many tasks end at once
        if answer.is_error:
            raise ApiError(f"{method} {path}", answer.status_code, answer.text)
        return answer.json() if answer.content else None

    # Runs

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, *, run_id: str | None = None, timeout: float = 60
    ) -> str:
        """Wait until the DAG is known, unpause it, start a run and return the run's id."""
        until(lambda: self._dag_known(dag_id), timeout, lambda: f"DAG {dag_id}; errors: {self.import_errors()}")
        self.api("PATCH", _path("dags", dag_id), {"is_paused": False})
        run_id = run_id or new_run_id()
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        self.api("POST", _path("dags", dag_id, "dagRuns"), body)
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self.api("GET", _path("dags", dag_id, "dagRuns", run_id))["state"])

    def wait(self, dag_id: str, run_id: str, timeout: float = 60) -> str:
        """Wait until the run has ended and return its state."""

        def ended() -> str | None:
            state = self.run_state(dag_id, run_id)
            return state if state in RUN_ENDED else None

        return until(ended, timeout, lambda: f"{dag_id}: {self.task_states(dag_id, run_id)}")

    def end_run(self, dag_id: str, run_id: str, state: str = "failed") -> None:
        """Mark a run, as somebody does in the UI."""
        self.api("PATCH", _path("dags", dag_id, "dagRuns", run_id), {"state": state})

    # Tasks

    def task(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return a task instance as the API describes it."""
        found: dict[str, Any] = self.api("GET", _task(dag_id, run_id, task_id, map_index))
        return found

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task of a run; a mapped one is named `task[0]`, `task[1]` and so on."""
        tasks = self.api("GET", _path("dags", dag_id, "dagRuns", run_id, "taskInstances"), limit=1000)["task_instances"]
        return {
            task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else ""): task["state"]
            for task in tasks
        }

    def wait_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: str | Collection[str],
        map_index: int = -1,
        timeout: float = 60,
    ) -> str:
        """Wait until the task is in one of the states and return which."""
        wanted = {states} if isinstance(states, str) else set(states)

        def reached() -> str | None:
            try:
                state = self.task(dag_id, run_id, task_id, map_index)["state"]
            except ApiError as error:  # a mapped task that has not been expanded yet
                if error.status != httpx.codes.NOT_FOUND:
                    raise
                return None
            return state if state in wanted else None

        return until(reached, timeout, lambda: f"{task_id} {wanted}: {self.task_states(dag_id, run_id)}")

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task success or failed, as somebody does in the UI."""
        self.api("PATCH", _task(dag_id, run_id, task_id, map_index), {"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, *, downstream: bool = False) -> None:
        """Clear a task, so that it runs again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id if map_index < 0 else [task_id, map_index]],
            "only_failed": False,
            "include_downstream": downstream,
        }
        self.api("POST", _path("dags", dag_id, "clearTaskInstances"), body)

    # What a task left behind

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return an XCom's value."""
        path = _path("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "xcomEntries", key)
        return self.api("GET", path, map_index=map_index)["value"]

    def xcom_keys(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> set[str]:
        """Return the keys under which a task has pushed something."""
        path = _path("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "xcomEntries")
        return {entry["key"] for entry in self.api("GET", path, map_index=map_index)["xcom_entries"]}

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try, a line for each record: message first, then the record's fields."""
        path = _path("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "logs", str(try_number))
        records = self.api("GET", path, map_index=map_index, full_content=True)["content"]
        return "\n".join(_log_line(record) for record in records)

    def extra_links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the links that the UI shows at a task: name to address."""
        path = _path("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "links")
        links: dict[str, str | None] = self.api("GET", path, map_index=map_index)["extra_links"]
        return links

    def import_errors(self) -> dict[str, str]:
        """Return the DAG files that could not be read: file name to traceback."""
        errors = self.api("GET", "importErrors", limit=1000)["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def _dag_known(self, dag_id: str) -> bool:
        try:
            self.api("GET", _path("dags", dag_id))
        except ApiError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise
            return False
        return True


def new_run_id() -> str:
    """Return an id for a run."""
    return f"run-{uuid.uuid4().hex[:12]}"


def until(ask: Callable[[], Response | None], timeout: float, what: Callable[[], str]) -> Response:
    """Ask until the answer is true; otherwise raise TimeoutError, which says what was waited for."""
    deadline = time.monotonic() + timeout
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:g} s still waiting for {what()}")
        time.sleep(_POLL_INTERVAL)
    return answer


def _path(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def _task(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    mapped = [str(map_index)] if map_index >= 0 else []
    return _path("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, *mapped)


def _log_line(record: str | dict[str, Any]) -> str:
    if isinstance(record, str):
        return record
    fields = " ".join(f"{name}={value}" for name, value in record.items() if name != "event")
    return f"{record['event']}  {fields}"
