"""A retry policy for tasks of this provider (Airflow 3.3 and later): what a retry cannot change fails at once.

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

# The first rule that fits decides. A test sees to it that every error of this package is named in one.
RULES: tuple[RetryRule, ...] = (
    RetryRule(
        exception=[errors.AuthenticationError, errors.ExpiredTokenError],
        action=RetryAction.FAIL,
        reason="the credentials are refused, and will be again",
    ),
    RetryRule(
        exception=errors.PermissionDeniedError,
        action=RetryAction.FAIL,
        reason="a RAM permission has to be granted first",
    ),
    RetryRule(
        exception=[errors.ConfigurationError, errors.InvalidRequestError],
        action=RetryAction.FAIL,
        reason="the connection or the arguments have to be changed first",
    ),
    RetryRule(
        exception=errors.UntrustedEndpointError,
        action=RetryAction.FAIL,
        reason="TLS cannot verify the endpoint",
    ),
    RetryRule(
        exception=errors.OutcomeUnknownError,
        action=RetryAction.FAIL,
        reason="a scan may run already; somebody has to look before another is started",
    ),
    RetryRule(
        exception=errors.ThrottledError,
        retry_delay=timedelta(minutes=2),
        reason="too many requests; their number is counted by the second and the minute",
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
        reason="the service failed or was not reached, which passes",
    ),
    RetryRule(
        exception=errors.ConflictError,
        retry_delay=timedelta(minutes=10),
        reason="another scan is in the way, and takes a while",
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
        exception=exceptions.TaskKilledError,
        action=RetryAction.DEFAULT,
        reason="its process was stopped; the next one starts the scan",
    ),
    RetryRule(
        exception=[
            errors.ClockError,  # another worker's clock may be right
            errors.ProtocolError,  # a proxy that answers for the service may stop doing so
            exceptions.MalformedEventError,
            errors.SecurityCenterError,
        ],
        action=RetryAction.DEFAULT,
        reason="nothing is known of how soon this passes",
    ),
)

AEGIS_RETRY_POLICY = ExceptionRetryPolicy(rules=list(RULES))
