"""The proxy of the environment; its password is never in an address, because the libraries' errors repeat addresses."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.protocol.secret import Secret

# Masking a shorter password would mask words of an error.
SHORTEST_PASSWORD = 4


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.

    :param address: its URL, without user and password.
    :param authorization: value of its Proxy-Authorization header.
    :param secrets: texts to mask everywhere.
    """

    address: str
    authorization: Secret | None = None
    secrets: tuple[Secret, ...] = ()

    def headers(self) -> dict[str, str]:
        """Return the headers for the proxy only."""
        return {"proxy-authorization": self.authorization.reveal()} if self.authorization else {}


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy that the environment names for an address.

    :raises ConfigurationError: if one of the transports cannot use it.
    """
    outcome = _proxy_for(url)
    if isinstance(outcome, ConfigurationError):  # raised here, where no variable has the password
        raise outcome
    return outcome


def _proxy_for(url: str) -> Proxy | ConfigurationError | None:
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not proxy:
        return None
    try:
        parts = urlsplit(prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        good = good and bool((parts.hostname or "").encode("idna"))
    except ValueError:
        good = False
    if not good:
        return ConfigurationError(
            "The proxy that the environment names (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) is no http address of a host."
        )
    user_info, _, host = parts.netloc.rpartition("@")
    address = f"{parts.scheme}://{host}"
    user, _, password = user_info.partition(":")
    if not user and not password:
        return Proxy(address)
    encoded = b64encode(unquote_to_bytes(user) + b":" + unquote_to_bytes(password)).decode()
    secrets = [encoded, *(text for text in (password, unquote(password)) if len(text) >= SHORTEST_PASSWORD)]
    return Proxy(address, Secret(f"Basic {encoded}"), tuple(map(Secret, dict.fromkeys(secrets))))
