"""The library ``alibabacloud-credentials`` kept within bounds: what it asks and logs, and what its exceptions tell.

Others in this process may use the library too. What is changed in it here is changed for :func:`contained` threads.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from importlib import metadata
from typing import TYPE_CHECKING, Any

from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ClockError,
    ConfigurationError,
    PermissionDeniedError,
    SecurityCenterError,
    UnreachableError,
    UntrustedEndpointError,
    error_class,
)
from airflow_provider_aegis.client.text import without

if TYPE_CHECKING:
    from airflow_provider_aegis.client.transport.vendor import Rules

DISTRIBUTION = "alibabacloud-credentials"
OLDEST = (1, 0, 9)  # earlier ones take the process's SIGTERM for themselves
INSTALL = "run: pip install 'airflow-provider-aegis[ram]'"
# It logs answers word for word, keys included, and hangs its own handlers onto the first two when it is imported. The
# others log addresses, and the library puts tokens and signatures into them.
LOGGERS = ("credentials", "alibabacloud-tea", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
ACTIONS = {
    "ram_role_arn": "AssumeRole",
    "oidc_role_arn": "AssumeRoleWithOIDC",
    "ecs_ram_role": "instance metadata",
    "credentials_uri": "credentials_uri",
    "default": "default chain",
}
NOTHING_IN_CHAIN = (
    "none of the places where the default chain looks has keys: environment variables, OIDC, ~/.aliyun/config.json, "
    "~/.alibabacloud/credentials.ini, instance metadata, ALIBABA_CLOUD_CREDENTIALS_URI"
)

_STATUS = re.compile(r"http_?code[:=]\s*(\d{3})", re.IGNORECASE)
_RESULT = re.compile(r"result: (\{.*)", re.DOTALL)
# After these words STS repeats the request, its secrets included.
_REPEATED = re.compile(r"(server )?string to sign.*", re.IGNORECASE | re.DOTALL)

_load_lock = threading.RLock()
_own = threading.local()


def load_library() -> Any:
    """Import the library when it is first needed, and undo what that does to logging.

    :return: its module of providers.
    :raises ConfigurationError: if it is missing or too old; the text says what to install.
    """
    with _load_lock:
        try:
            version = metadata.version(DISTRIBUTION)
        except metadata.PackageNotFoundError:
            raise ConfigurationError(f"extra 'auth_type' needs the package {DISTRIBUTION}: {INSTALL}.") from None
        if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < OLDEST:
            raise ConfigurationError(f"extra 'auth_type' needs {DISTRIBUTION} 1.0.9, and {version} is here: {INSTALL}.")
        loggers = [logging.getLogger(name) for name in LOGGERS]
        before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
        try:
            library = importlib.import_module("alibabacloud_credentials.provider")
        finally:
            for logger, level, handlers in before:
                logger.setLevel(level)
                logger.handlers[:] = handlers
                if _not_ours not in logger.filters:
                    logger.addFilter(_not_ours)
        _take_over()
        return library


@cache
def _take_over() -> None:
    """Have the library make its requests as this package does, and start no thread."""
    from alibabacloud_credentials.provider import EcsRamRoleCredentialsProvider
    from Tea.core import TeaCore
    from Tea.response import TeaResponse

    from airflow_provider_aegis.client.transport.vendor import perform

    do_action, init = TeaCore.do_action, EcsRamRoleCredentialsProvider.__init__

    @wraps(do_action)
    def contained_action(request: Any, runtime_option: Any = None) -> Any:
        rules = _rules()
        if rules is None:
            return do_action(request, runtime_option)
        answer = perform(TeaCore.compose_url(request), request, runtime_option or {}, rules)
        response = TeaResponse()
        response.status_code, response.headers, response.body = answer.status, answer.headers, answer.body
        return response

    @wraps(init)
    def contained_init(self: Any, **given: Any) -> None:
        if _rules() is not None:  # by default it starts a thread that fetches keys by itself and never ends
            given["async_update_enabled"] = False
        init(self, **given)

    TeaCore.do_action = staticmethod(contained_action)
    EcsRamRoleCredentialsProvider.__init__ = contained_init


def _rules() -> Rules | None:
    return getattr(_own, "rules", None)


def _not_ours(_: logging.LogRecord) -> bool:
    return _rules() is None


@contextmanager
def contained(rules: Rules) -> Iterator[None]:
    """Have the library ask for this thread by these rules, and log nothing: what matters becomes an error of ours."""
    before = _rules()
    _own.rules = rules
    try:
        yield
    finally:
        _own.rules = before


def explain(
    caught: Exception, auth_type: str, secrets: Sequence[str | None], troubles: Sequence[str] = ()
) -> SecurityCenterError:
    """Make an error of this package of what the library raised, without the secrets that its text may have.

    :param secrets: what the library was given and must not be shown.
    :param troubles: what went wrong on the way and may pass, of which the library's default chain does not speak.
    """
    action, text = ACTIONS[auth_type], str(getattr(caught, "message", None) or caught)
    if isinstance(caught, SecurityCenterError):
        # Nothing was asked of Security Center yet, so the classes that leave open whether it was do not fit.
        cls: type[SecurityCenterError] = UnreachableError if caught.transient else AuthenticationError
        cls = UntrustedEndpointError if isinstance(caught, UntrustedEndpointError) else cls
        return cls(without(caught.message, secrets), action=action, http_status=caught.http_status)
    if type(caught).__name__ != "CredentialException":
        return UnreachableError(
            "the service that hands out keys was not reached, or gave no proper answer", action=action
        )
    if "providers in the chain" in text:
        if troubles:
            return UnreachableError(f"a place where the default chain looks failed: {troubles[0]}", action=action)
        return AuthenticationError(NOTHING_IN_CHAIN, action=action)
    answer = {name: without(str(value), secrets) for name, value in _answer(text).items() if value}
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    message = _REPEATED.sub("…", answer.get("Message") or "no keys were handed out")
    known: dict[str, Any] = {
        "action": action,
        "code": (code := answer.get("Code", "")),
        "http_status": status,
        "request_id": answer.get("RequestId", ""),
    }
    cls = error_class(code, status or 400) or AuthenticationError
    if cls.transient or status in (408, 425):
        return UnreachableError(message, **known)
    if cls is PermissionDeniedError and code and action.startswith("AssumeRole"):
        return PermissionDeniedError(message, ram_actions=[f"sts:{action}"], **known)
    return (cls if issubclass(cls, AuthenticationError | ClockError) else AuthenticationError)(message, **known)


def _answer(text: str) -> dict[str, Any]:
    found = _RESULT.search(text)
    try:
        answer = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
