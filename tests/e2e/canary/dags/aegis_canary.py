"""Scans with keys of every kind in both modes, scans that fail, and tasks that tell what they know."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, BaseOperator, Context, task

from airflow_provider_aegis.client.credentials.base import authenticate
from airflow_provider_aegis.hooks.aegis import AegisHook
from airflow_provider_aegis.operators.once_task import AegisGetOnceTaskResultOperator, AegisOnceTaskOperator
from airflow_provider_aegis.sensors.once_task import AegisOnceTaskSensor
from tests.e2e.canary.telling import DecoyTrigger, TellingTrigger, tell, track

AUTH_TYPES = ("access_key", "sts", "ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri", "default")
BAD = (
    "wrong_secret",
    "wrong_token",
    "wrong_base",
    "no_token_file",
    "wrong_oidc_token",
    "nonsense_metadata",
    "nonsense_uri",
)
# What an endpoint does that repeats what it is sent; the task is named so, and asks for it by the scan's name.
ECHOES = ("success", "denied", "request_id", "header_name")
DECOY = "AEGIS_TEST_DECOY"
TRACKED = {"on_failure_callback": track}
MODES = {"poke": False, "deferrable": True}
# Seconds after which a task fails that nonsense keeps waiting; all others fail before.
SHORT = 8
SCAN: dict[str, Any] = {
    "once_task_type": "VUL_CHECK_TASK",
    "poll_interval": 3,
    "max_poll_interval": 4,
    "first_poll_delay": 10,
}


def scan(name: str, conn_id: str, **more: Any) -> AegisOnceTaskOperator:
    """A scan whose name says which task started it."""
    return AegisOnceTaskOperator(task_id=name, aegis_conn_id=conn_id, once_task_name=name, **SCAN | more)


with DAG(dag_id="canary", schedule=None, catchup=False):
    for auth_type in AUTH_TYPES:
        for mode, deferrable in MODES.items():
            started = scan(f"{auth_type}_{mode}", auth_type, deferrable=deferrable)
            started >> AegisGetOnceTaskResultOperator(
                task_id=f"{auth_type}_{mode}_result",
                aegis_conn_id=auth_type,
                once_task_id=f"{{{{ ti.xcom_pull(task_ids='{started.task_id}', key='once_task_id') }}}}",
                once_task_type="VUL_CHECK_TASK",
            )

with DAG(dag_id="canary_ended", schedule=None, catchup=False):
    for mode, deferrable in MODES.items():
        scan(f"ended_{mode}", "ram_role_arn", deferrable=deferrable)


def sensor(name: str, conn_id: str, **more: Any) -> AegisOnceTaskSensor:
    """Ask for a scan that nobody started."""
    known: dict[str, Any] = {"once_task_id": "unknown", "once_task_type": "VUL_CHECK_TASK"}
    known |= {"poll_interval": 1, "first_poll_delay": 10, "timeout": SHORT}
    return AegisOnceTaskSensor(task_id=name, aegis_conn_id=conn_id, **known | more)


with DAG(dag_id="canary_failures", schedule=None, catchup=False, default_args=TRACKED):
    for conn_id in BAD:
        for mode, deferrable in MODES.items():
            scan(f"{conn_id}_{mode}", conn_id, deferrable=deferrable, timeout=SHORT)
            sensor(f"{conn_id}_{mode}_sensor", conn_id, deferrable=deferrable)

with DAG(dag_id="canary_hostile", schedule=None, catchup=False, default_args=TRACKED):
    for mode, deferrable in MODES.items():
        for conn_id in ("proxied", "misspelt"):
            sensor(f"{conn_id}_{mode}", conn_id, deferrable=deferrable)
        for echo in ECHOES:
            sensor(f"echo_{echo}_{mode}", "echo", once_task_name=echo, deferrable=deferrable)

with DAG(dag_id="canary_refused", schedule=None, catchup=False, default_args=TRACKED):
    for auth_type in AUTH_TYPES:
        scan(f"{auth_type}_deferrable_refused", auth_type, deferrable=True)
    for auth_type in ("sts", "ram_role_arn", "credentials_uri"):
        scan(f"{auth_type}_poke_refused", auth_type, deferrable=False)


class Deferred(BaseOperator):
    """Hands itself to a trigger."""

    template_fields = ("decoy",)

    def __init__(self, *, conn_id: str = "", decoy: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.decoy = decoy

    def execute(self, context: Context) -> None:
        """Defer."""
        trigger = TellingTrigger(self.conn_id) if self.conn_id else DecoyTrigger(self.decoy)
        self.defer(trigger=trigger, method_name="resume")

    def resume(self, context: Context, event: dict[str, Any]) -> None:
        """End."""


with DAG(dag_id="canary_told", schedule=None, catchup=False):

    @task
    def told_by_the_worker(conn_id: str) -> None:
        """Get the keys as a task does."""
        tell("the task", AegisHook(conn_id).run_flow(authenticate()))

    for conn_id in AUTH_TYPES:
        told_by_the_worker.override(task_id=f"{conn_id}_worker")(conn_id)
        Deferred(task_id=f"{conn_id}_triggerer", conn_id=conn_id)

with DAG(dag_id="canary_decoy", schedule=None, catchup=False, doc_md=os.environ.get(DECOY), params={"decoy": ""}):

    @task
    def decoy(params: dict[str, Any] | None = None) -> str:
        """Give away what nobody masks."""
        told = str((params or {})["decoy"])
        print("the task has", told)
        return told

    @task(on_failure_callback=track)
    def careless(params: dict[str, Any] | None = None) -> None:
        """Fail with what nobody masks in a variable."""
        told = str((params or {})["decoy"])
        raise ValueError(len(told))

    decoy()
    careless()
    Deferred(task_id="deferred", decoy="{{ params.decoy }}")
