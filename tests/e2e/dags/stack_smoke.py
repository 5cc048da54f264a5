"""A DAG that shows whether a stack works: one task on a worker, one in the triggerer."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator, Context, dag, get_current_context, task, timezone


class DeferOperator(BaseOperator):
    """Wait in the triggerer for `seconds`. (Airflow's own sensors do not defer if the moment has passed.)"""

    template_fields = ("seconds",)

    def __init__(self, *, seconds: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    def execute(self, context: Context) -> None:
        moment = timezone.utcnow() + timedelta(seconds=float(self.seconds))
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resumed")

    def resumed(self, context: Context, event: Any) -> str:
        return "resumed"


@dag(schedule=None, catchup=False, params={"work": 0, "defer": 3})
def stack_smoke() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def work() -> int:
        context = get_current_context()
        print("a marker line from the worker")
        try_number = context["ti"].try_number
        if try_number == 1:
            time.sleep(float(context["params"]["work"]))
        return try_number

    work() >> DeferOperator(task_id="deferred", seconds="{{ params.defer }}")


stack_smoke()
