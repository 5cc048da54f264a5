"""One DAG for each set of arguments that no run can set; its scan is named by the run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Context

from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator
from tests.reliability import journal
from tests.reliability.cases import VARIANTS, dag_id


class JournalOperator(AegisOnceTaskOperator):
    """Writes a journal, and gives each process an access key of its own.

    The connection comes from the environment, and its key is in no fingerprint: nothing else differs.
    """

    _process = 0
    _try_number = 0

    def execute(self, context: Context) -> Any:
        """Run as a process of its own."""
        return self._told(context, "execute", super().execute)

    def execute_when_vacant(self, context: Context, event: Any = None) -> Any:
        """Go on as a process of its own."""
        return self._told(context, "execute_when_vacant", super().execute_when_vacant, event)

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """Go on as a process of its own."""
        return self._told(context, "execute_complete", super().execute_complete, event)

    def on_kill(self) -> None:
        """Tell of it."""
        if self._process:
            journal.write(self._name, "on_kill", self._process, self._try_number)
        super().on_kill()

    @property
    def _name(self) -> str:
        assert self.once_task_name
        return self.once_task_name

    def _told(self, context: Context, what: str, work: Callable[..., Any], *arguments: Any) -> Any:
        folder = Path(os.environ[journal.FOLDER])
        self._process = len({entry.process for entry in journal.read(folder, self._name)}) + 1
        self._try_number = context["ti"].try_number
        variable = f"AIRFLOW_CONN_{self.aegis_conn_id.upper()}"
        connection = json.loads(os.environ[variable])
        os.environ[variable] = json.dumps(connection | {"login": journal.key_of(self._process)})
        journal.write(self._name, what, self._process, self._try_number)
        try:
            return work(context, *arguments)
        except BaseException as error:
            journal.write(self._name, f"{what} raises {type(error).__name__}", self._process, self._try_number)
            raise
        finally:
            journal.write(self._name, f"{what} ends", self._process, self._try_number)


for deferrable in (False, True):
    for variant, arguments in VARIANTS.items():
        with DAG(
            dag_id=dag_id(variant, deferrable=deferrable),
            schedule=None,
            catchup=False,
            params={"name": "", "connection": ""},
        ):
            JournalOperator(
                task_id="scan",
                once_task_type="VUL_CHECK_TASK",
                once_task_name="{{ params.name }}",
                aegis_conn_id="{{ params.connection }}",
                deferrable=deferrable,
                poll_interval=1,
                max_poll_interval=2,
                first_poll_delay=10,
                retry_delay=timedelta(seconds=2),
                **arguments,
            )
            EmptyOperator(task_id="other")
