from __future__ import annotations

import pytest

from airflow_provider_aegis.client.errors import (
    InvalidRequestError,
    PermissionDeniedError,
    SecurityCenterError,
    ServiceError,
    ThrottledError,
)
from airflow_provider_aegis.client.protocol.error_codes import error_class


@pytest.mark.parametrize(
    ("code", "status", "cls"),
    [
        ("", 200, None),
        ("200", 200, None),
        ("Success", 200, None),
        ("Throttling", 200, ThrottledError),
        ("Unheard.Of", 400, InvalidRequestError),
        ("Unheard.Of", 401, PermissionDeniedError),
        ("Unheard.Of", 403, PermissionDeniedError),
        ("Unheard.Of", 404, InvalidRequestError),
        ("Unheard.Of", 429, ThrottledError),
        ("Unheard.Of", 500, ServiceError),
        ("Unheard.Of", 503, ServiceError),
        ("", 404, InvalidRequestError),
        ("", 599, ServiceError),
        ("NoPermission", 400, PermissionDeniedError),
        ("Throttling.Api", 503, ThrottledError),
        ("ThrottlingOfAnotherKind", 400, InvalidRequestError),
    ],
)
def test_a_code_that_no_table_knows_is_judged_by_its_beginning_and_then_by_the_status(
    code: str, status: int, cls: type[SecurityCenterError] | None
) -> None:
    assert error_class(code, status) is cls
