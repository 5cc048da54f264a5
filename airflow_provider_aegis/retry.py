"""A retry policy for tasks of this provider (Airflow 3.3 and later): it does not retry what a retry cannot change.

``AegisOnceTaskOperator(..., retries=3, retry_policy=AEGIS_RETRY_POLICY)``, or in a DAG's ``default_args``. The policy
never retries more often than ``retries`` says.
"""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_aegis import exceptions
from airflow_provider_aegis.client import errors
from airflow_provider_aegis.compat import AirflowOptionalProviderFeatureException

try:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
except ImportError as error:
    raise AirflowOptionalProviderFeatureException(
        "airflow_provider_aegis.retry needs Airflow 3.3 or later, which knows retry policies."
    ) from error

# The first rule that matches applies. A test checks that every error of this package is in a rule.
RULES: tuple[RetryRule, ...] = (
    RetryRule(
        exception=[errors.AuthenticationError, errors.ExpiredTokenError],
        action=RetryAction.FAIL,
        reason="the credentials were refused, and will be refused again",
    ),
    RetryRule(
        exception=[errors.PermissionDeniedError, exceptions.AccountsSkippedError],
        action=RetryAction.FAIL,
        reason="a RAM permission must be granted first",
    ),
    RetryRule(
        exception=[errors.ConfigurationError, errors.InvalidRequestError],
        action=RetryAction.FAIL,
        reason="the connection or the arguments must be changed first",
    ),
    RetryRule(
        exception=errors.UntrustedEndpointError,
        action=RetryAction.FAIL,
        reason="TLS cannot verify the endpoint",
    ),
    RetryRule(
        exception=errors.OutcomeUnknownError,
        action=RetryAction.FAIL,
        reason="a scan may be running; look in the console before you start another",
    ),
    RetryRule(
        exception=errors.ThrottledError,
        retry_delay=timedelta(minutes=2),
        reason="too many requests per second or minute",
    ),
    RetryRule(
        exception=[
            errors.ServiceError,
            errors.UnreachableError,
            errors.NoAnswerError,
            errors.NonceUsedError,
            errors.DeadlineExceededError,
        ],
        retry_delay=timedelta(minutes=1),
        reason="the service failed or could not be reached, which passes",
    ),
    RetryRule(
        exception=errors.ConflictError,
        retry_delay=timedelta(minutes=10),
        reason="another scan is running, and takes a while",
    ),
    RetryRule(
        exception=[
            exceptions.OnceTaskFailedError,
            exceptions.OnceTaskTimeoutError,
            exceptions.OnceTaskDeadlineError,
            exceptions.UnknownOnceTaskError,
            exceptions.OnceTaskError,
        ],
        action=RetryAction.DEFAULT,
        reason="the scan ended badly; another one may not",
    ),
    RetryRule(
        exception=exceptions.TooManyFindingsError,
        action=RetryAction.FAIL,
        reason="the findings of an export do not change",
    ),
    RetryRule(
        exception=exceptions.TaskKilledError,
        action=RetryAction.DEFAULT,
        reason="its process was stopped; the next try starts the scan",
    ),
    RetryRule(
        exception=[
            errors.ClockError,  # another worker's clock may be right
            errors.ProtocolError,  # a proxy that answers for the service may stop doing so
            exceptions.MalformedEventError,
            errors.SecurityCenterError,
        ],
        action=RetryAction.DEFAULT,
        reason="it is not known how soon this passes",
    ),
)

AEGIS_RETRY_POLICY = ExceptionRetryPolicy(rules=list(RULES))
