"""Lead the vendor's library to services on loopback: a test that patches it can, no setting does.

A process that has the port in its environment when it imports this module is led from then on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

PORT = "AEGIS_TEST_KEY_SERVICES_PORT"
# A header that tells the services which process asks.
PROCESS = "x-test-process"
# The library is asked for keys of any other host in vain.
VENDOR_HOSTS = {"sts.aliyuncs.com": "https", "100.100.100.200": "http"}


def leading(compose: Callable[[Any], str], port: int) -> Callable[[Any], str]:
    """Return what puts addresses together in place of the library's own function.

    :param compose: that function.
    :param port: of the services.
    """

    def compose_url(request: Any) -> str:
        host = request.headers["host"]
        request.headers[PROCESS] = str(os.getpid())
        if host in VENDOR_HOSTS:
            assert request.protocol == VENDOR_HOSTS[host]
            request.protocol, request.headers["host"], request.port = "http", "127.0.0.1", port
        return str(compose(request))

    return compose_url


if PORT in os.environ:
    from Tea.core import TeaCore

    TeaCore.compose_url = staticmethod(leading(TeaCore.compose_url, int(os.environ[PORT])))
