"""The retry policy: a decision for each of this package's errors, made by Airflow's own code."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aegis import exceptions
from airflow_provider_aegis.client import errors
from airflow_provider_aegis.compat import AirflowOptionalProviderFeatureException

HAS_POLICIES = find_spec("airflow.sdk") is not None and find_spec("airflow.sdk.definitions.retry_policy") is not None
if HAS_POLICIES:
    from airflow_provider_aegis.retry import AEGIS_RETRY_POLICY, RULES

needs_policies = pytest.mark.skipif(not HAS_POLICIES, reason="retry policies came with Airflow 3.3")

# What each error deserves, and after how many minutes.
DECISIONS: dict[type[Exception], tuple[str, float | None]] = {
    errors.ConfigurationError: ("fail", None),
    errors.AuthenticationError: ("fail", None),
    errors.ExpiredTokenError: ("fail", None),
    errors.PermissionDeniedError: ("fail", None),
    errors.InvalidRequestError: ("fail", None),
    errors.UntrustedEndpointError: ("fail", None),
    errors.OutcomeUnknownError: ("fail", None),
    errors.ThrottledError: ("retry", 2),
    errors.ServiceError: ("retry", 1),
    errors.UnreachableError: ("retry", 1),
    errors.NoAnswerError: ("retry", 1),
    errors.NonceUsedError: ("retry", 1),
    errors.DeadlineExceededError: ("retry", 1),
    errors.ConflictError: ("retry", 10),
    errors.ClockError: ("default", None),
    errors.ProtocolError: ("default", None),
    errors.SecurityCenterError: ("default", None),
    exceptions.OnceTaskError: ("default", None),
    exceptions.OnceTaskFailedError: ("default", None),
    exceptions.OnceTaskTimeoutError: ("default", None),
    exceptions.OnceTaskDeadlineError: ("default", None),
    exceptions.UnknownOnceTaskError: ("default", None),
    exceptions.AccountsSkippedError: ("fail", None),
    exceptions.TooManyFindingsError: ("fail", None),
    exceptions.TaskKilledError: ("default", None),
    exceptions.MalformedEventError: ("default", None),
}
every_error = pytest.mark.parametrize("cls", DECISIONS, ids=lambda cls: cls.__name__)


def errors_of(module: Any) -> set[type[Exception]]:
    """The exceptions that a module defines."""
    return {
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Exception) and one.__module__ == module.__name__
    }


def test_no_error_is_forgotten() -> None:
    assert set(DECISIONS) == errors_of(errors) | errors_of(exceptions)


@needs_policies
def test_every_error_is_named_in_one_rule() -> None:
    named = [
        cls for rule in RULES for cls in (rule.exception if isinstance(rule.exception, list) else [rule.exception])
    ]
    assert len(named) == len(set(named))
    assert set(named) == errors_of(errors) | errors_of(exceptions)


@needs_policies
@every_error
def test_each_error_is_answered_as_it_deserves(cls: type[Exception]) -> None:
    action, minutes = DECISIONS[cls]
    # Also as Airflow knows the policy from a serialized DAG.
    for policy in (AEGIS_RETRY_POLICY, type(AEGIS_RETRY_POLICY).deserialize(AEGIS_RETRY_POLICY.serialize())):
        decision = policy.evaluate(cls("no"), try_number=1, max_tries=3)
        assert decision.action.value == action
        assert decision.retry_delay == (None if minutes is None else timedelta(minutes=minutes))
        assert decision.reason


@needs_policies
def test_an_error_of_something_else_is_none_of_its_business() -> None:
    decision = AEGIS_RETRY_POLICY.evaluate(RuntimeError("no"), try_number=1, max_tries=3)
    assert decision.action.value == "default"


@needs_policies
@pytest.mark.parametrize(
    ("error", "state", "delay"),
    [
        (errors.PermissionDeniedError("no"), "failed", None),
        (errors.ThrottledError("later"), "up_for_retry", 120),
        (exceptions.OnceTaskFailedError("bad"), "up_for_retry", None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_worker_does_as_the_policy_says(error: Exception, state: str, delay: float | None) -> None:
    import structlog
    from airflow.sdk.execution_time import task_runner

    from airflow_provider_aegis.operators.once_task import AegisOnceTaskOperator

    operator = AegisOnceTaskOperator(
        task_id="scan", once_task_type="VUL_CHECK_TASK", retries=3, retry_policy=AEGIS_RETRY_POLICY
    )
    ti: Any = SimpleNamespace(
        task=operator,
        try_number=1,
        _ti_context_from_server=SimpleNamespace(max_tries=3, should_retry=True),
        rendered_map_index=None,
        _failure_metrics_emitted=True,
    )
    message, found = task_runner._handle_current_task_failed(ti, error, structlog.get_logger())
    assert found.value == state
    assert getattr(message, "retry_delay_seconds", None) == delay


@pytest.mark.skipif(HAS_POLICIES, reason="for an Airflow without retry policies")
def test_an_older_airflow_says_what_is_missing() -> None:
    with pytest.raises(AirflowOptionalProviderFeatureException, match=r"needs Airflow 3\.3 or later"):
        import airflow_provider_aegis.retry  # noqa: F401


@needs_policies
def test_it_costs_a_dag_no_http_library() -> None:
    code = (
        "import sys; import airflow_provider_aegis.retry;"
        "print([name for name in ('requests', 'aiohttp') if name in sys.modules])"
    )
    before = code.replace("airflow_provider_aegis.retry", "airflow_provider_aegis.compat, airflow.sdk")
    outputs = [
        subprocess.check_output([sys.executable, "-W", "ignore", "-c", one], text=True) for one in (code, before)
    ]
    assert outputs[0] == outputs[1]
