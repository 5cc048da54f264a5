"""The environment of an Airflow that lives for minutes: small, on loopback, and quick to notice what died."""

from __future__ import annotations

import base64
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"

#: The variable with the connection that operators use when they are given none.
CONNECTION = "AIRFLOW_CONN_AEGIS_DEFAULT"
#: The one that the example of several accounts uses beside it.
SECOND_CONNECTION = "AIRFLOW_CONN_AEGIS_SECOND_ACCOUNT"

#: [section] option: value, for every stack.
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "core": {
        "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "simple_auth_manager_all_admins": "True",
        "executor": "LocalExecutor",
        "parallelism": "8",
        "mp_start_method": "fork",  # Python 3.14 would import Airflow anew in each worker
        "hostname_callable": "socket.gethostname",  # the default asks DNS, which may not be there
        "test_connection": "Enabled",
    },
    "api": {"host": LOOPBACK, "maximum_page_limit": "1000"},
    "scheduler": {
        "scheduler_idle_sleep_time": "0.2",
        "enable_health_check": "False",  # it would listen on a fixed port
        "scheduler_heartbeat_sec": "1",
        # A task whose worker died is failed, or retried, after 10 to 12 s. Busy machines miss a beat now and then.
        "task_instance_heartbeat_timeout": "10",
        "task_instance_heartbeat_timeout_detection_interval": "2",
        # What a dead scheduler had queued is taken over by the next one after 10 to 15 s.
        "scheduler_health_check_threshold": "10",
        "orphaned_tasks_check_interval": "5",
        "trigger_timeout_check_interval": "1",
    },
    # A deferral shorter than this can be marked failed, because the scheduler hears of the worker's end too late.
    "workers": {"min_heartbeat_interval": "1"},
    "triggerer": {
        "capacity": "100",
        "job_heartbeat_sec": "1",
        # The triggers of a dead triggerer go to the next one after 5 s.
        "triggerer_health_check_threshold": "5",
    },
    "dag_processor": {
        "parsing_processes": "1",
        "min_file_process_interval": "600",  # an unchanged file is not worth parsing again
        "refresh_interval": "10",
    },
}


def environment(
    *, home: Path, port: int, dags_folder: Path, load_examples: bool, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of the stack's processes: nothing of the caller's own Airflow leaks into it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    # Airflow without bytecode takes twice as long to start.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    url = f"http://{LOOPBACK}:{port}"
    settings = {
        _variable(section, option): value for section, options in _SETTINGS.items() for option, value in options.items()
    }
    return {
        **inherited,
        **dict.fromkeys(("NO_PROXY", "no_proxy"), f"{LOOPBACK},localhost"),
        **settings,
        "AIRFLOW_HOME": str(home),
        _variable("core", "dags_folder"): str(dags_folder),
        _variable("core", "load_examples"): str(load_examples),
        _variable("core", "fernet_key"): base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # Without it tasks would report to port 8080, whoever listens there.
        _variable("core", "execution_api_server_url"): f"{url}/execution/",
        _variable("database", "sql_alchemy_conn"): f"sqlite:///{home}/airflow.db",
        _variable("api", "port"): str(port),
        _variable("api", "base_url"): f"{url}/",
        _variable("api", "secret_key"): secrets.token_hex(32),
        _variable("api_auth", "jwt_secret"): secrets.token_hex(32),
        **extra,
    }


def celery_environment(redis_url: str) -> dict[str, str]:
    """Return the variables by which tasks run on a Celery worker."""
    return {
        _variable("core", "executor"): "CeleryExecutor",
        _variable("celery", "broker_url"): redis_url,
        _variable("celery", "result_backend"): redis_url,
        _variable("celery", "worker_concurrency"): "8",
        "C_FORCE_ROOT": "1",  # tests may run as root
    }


def _variable(section: str, option: str) -> str:
    return f"AIRFLOW__{section.upper()}__{option.upper()}"


def free_port(preferred: int = 0) -> int:
    """Return `preferred` if nobody listens on it, else some free port."""
    for port in (preferred, 0):
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            return int(listener.getsockname()[1])
    raise OSError("no free port on loopback")
