"""The errors of a request that got no answer; both transports raise the same ones, in the same words."""

from __future__ import annotations

from airflow_provider_aegis.client.errors import NoAnswerError, UnreachableError, UntrustedEndpointError


def untrusted(reason: object) -> UntrustedEndpointError:
    """Return the error of an endpoint whose certificate is not trusted."""
    return UntrustedEndpointError(f"TLS could not verify the endpoint: {reason}")


def not_connected(reason: object) -> UnreachableError:
    """Return the error of a request that was not sent, because there is no connection."""
    return UnreachableError(f"could not connect: {reason}")


def no_answer(reason: object) -> NoAnswerError:
    """Return the error of a request that was sent."""
    return NoAnswerError(f"the request was sent and no answer came back: {reason}")
