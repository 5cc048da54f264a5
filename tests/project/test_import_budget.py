"""What a DAG that uses this provider costs to parse, over Airflow's own import."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

BUDGET = 40
CODE = """
import json, sys
import airflow.triggers.base
from airflow_provider_aegis.compat import BaseHook, BaseOperator, BaseSensorOperator
from airflow_provider_aegis.compat import AirflowTaskTimeout, BaseOperatorLink, XCom
before = set(sys.modules)
import airflow_provider_aegis.operators.once_task
import airflow_provider_aegis.sensors.once_task
import airflow_provider_aegis.triggers.once_task
import airflow_provider_aegis.links.security_center
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="measured over airflow.sdk, which Airflow 2 has not")
def test_the_modules_that_a_dag_imports_are_few_and_light() -> None:
    output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", CODE], text=True)
    added: list[str] = json.loads(output.splitlines()[-1])
    assert len(added) <= BUDGET, added
    heavy = [name for name in added if name.partition(".")[0] in ("requests", "aiohttp", "yarl", "urllib3", "ssl")]
    assert not heavy
