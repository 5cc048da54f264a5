"""Region to host, and which hosts may receive a signed request."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from airflow_provider_aegis.client.errors import ConfigurationError

Site = Literal["china", "international"]

CHINA = "tds.cn-shanghai.aliyuncs.com"
INTERNATIONAL = "tds.ap-southeast-1.aliyuncs.com"
# Hosts of the international control plane; every other host of the service belongs to China's.
INTERNATIONAL_HOSTS = frozenset(
    {INTERNATIONAL, "tds-intl.vpc-proxy.aliyuncs.com", "tds-vpc.ap-southeast-2.aliyuncs.com"}
)
CONSOLES: dict[Site, str] = {
    "china": "https://yundun.console.aliyun.com/?p=sas",
    "international": "https://yundun.console.alibabacloud.com/?p=sas",
}
TROUBLESHOOTING: dict[Site, str] = {
    "china": "https://api.aliyun.com/troubleshoot",
    "international": "https://api.alibabacloud.com/troubleshoot",
}

# The regions that the official SDK names for this service. New ones appear, so an unknown one is not an error.
_KNOWN = """
cn-beijing cn-beijing-finance-1 cn-chengdu cn-fuzhou cn-guangzhou cn-hangzhou cn-hangzhou-finance cn-heyuan
cn-heyuan-acdr-1 cn-hongkong cn-huhehaote cn-nanjing cn-north-2-gov-1 cn-qingdao cn-qingdao-acdr-ut-1 cn-shanghai
cn-shanghai-finance-1 cn-shanghai-mybk cn-shenzhen cn-shenzhen-finance-1 cn-wuhan-lr cn-wulanchabu cn-zhangjiakou
cn-zhengzhou-jva

ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 ap-southeast-6
ap-southeast-7 eu-central-1 eu-west-1 me-central-1 me-east-1 us-east-1 us-west-1
"""
REGIONS = frozenset(_KNOWN.split())

# The longest known one has 21 characters.
LONGEST_REGION = 64
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ADDRESS = re.compile(
    r"((?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>[0-9]{1,9}))?/?"
)
_OWN_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host that calls are signed for.

    :param scheme: ``https``, or ``http`` on loopback alone.
    :param host: the value of the ``Host`` header: the name, with the port unless it is the scheme's default.
    """

    scheme: str
    host: str

    @property
    def url(self) -> str:
        """The address that every call goes to."""
        return f"{self.scheme}://{self.host}/"

    @property
    def site(self) -> Site:
        """The site that the control plane belongs to."""
        return "international" if self.host.partition(":")[0] in INTERNATIONAL_HOSTS else "china"


def resolve_endpoint(*, region: str | None, host: str | None, port: int | None = None) -> Endpoint:
    """Find the endpoint of a connection.

    :param region: region of the assets, as ``cn-hangzhou``; it selects one of the two control planes.
    :param host: a host name that replaces the region's, with ``http://`` in front for an emulator on loopback.
    :param port: port of the host.
    :raises ConfigurationError: if neither is given, or one is malformed.
    """
    if region:
        check_region(region)
    if host:
        return parse_host(host, port)
    if not region:
        raise ConfigurationError(
            "Set the field Region, as cn-hangzhou: it is under Extra Fields in the connection's form, and the extra "
            "'region' in JSON. Neither the region nor the endpoint (host) is set."
        )
    return Endpoint("https", CHINA if region.startswith("cn-") else INTERNATIONAL)


def check_region(region: str) -> str:
    """Check a region id and return it.

    :raises ConfigurationError: if it is too long, or is not made of lower-case letters, digits and single hyphens.
    """
    if len(region) > LONGEST_REGION:
        raise ConfigurationError(
            f"region is not a region id: it has {len(region)} characters, {LONGEST_REGION} at the most are allowed."
        )
    if not _REGION.fullmatch(region):
        raise ConfigurationError(
            f"region {region!r} is not a region id: it has lower-case letters, digits and hyphens, as in cn-hangzhou."
        )
    return region


def unknown_region_warning(region: str | None) -> str:
    """Return a warning about an unknown region, or an empty string.

    :param region: a region id that :func:`check_region` accepts, or ``None``.
    """
    if not region or region in REGIONS:
        return ""
    from difflib import get_close_matches

    nearest = get_close_matches(region, sorted(REGIONS))
    guess = f"; did you mean {' or '.join(nearest)}?" if nearest else "."
    plane = "China's" if region.startswith("cn-") else "the international"
    return f"{region!r} is not a known region, and is taken for one of {plane} control plane{guess}"


def parse_host(host: str, port: int | None = None) -> Endpoint:
    """Read the host field of a connection.

    :raises ConfigurationError: if it has user info, a path, a query or a fragment, or plain ``http`` with any host
        but loopback.
    """
    found = _ADDRESS.fullmatch(host.strip())
    name = found["name"].lower() if found else ""
    if not found or not _is_name(name):
        shown = "" if "@" in host else f" {host!r}"  # a password may precede it
        raise ConfigurationError(
            f"host{shown} is not a plain host name: give it without user, path, query or fragment, as in {CHINA}."
        )
    scheme = (found["scheme"] or "https").lower()
    if scheme not in _OWN_PORTS:
        raise ConfigurationError(f"host {host!r} must begin with https:// or be a plain name, not {scheme}://.")
    if scheme == "http" and not is_loopback(name):
        raise ConfigurationError(
            f"host {host!r} must not be plain http: only an emulator on loopback is called without TLS."
        )
    final_port = int(found["port"]) if found["port"] else port
    if final_port is not None and (type(final_port) is not int or not 0 < final_port < 65536):
        raise ConfigurationError(f"port {final_port!r} is not between 1 and 65535.")
    return Endpoint(scheme, name if final_port in (None, _OWN_PORTS[scheme]) else f"{name}:{final_port}")


def is_loopback(name: str) -> bool:
    """Tell whether a host name is this machine's loopback interface."""
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def _is_name(name: str) -> bool:
    if not name.startswith("["):
        return len(name) <= 253 and _HOST.fullmatch(name) is not None
    try:
        return ipaddress.ip_address(name.strip("[]")).version == 6
    except ValueError:
        return False
