"""Keys by way of the vendor's library ``alibabacloud-credentials``: roles, instance metadata, a URI, its default chain.

The library is only ever asked with its blocking call, through :class:`TemporaryCredentials`, which keeps what it hands
out: by itself it would fetch again for every request as soon as keys have a quarter of an hour left.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_aegis.client.credentials import what_is_wrong
from airflow_provider_aegis.client.errors import AuthenticationError, ConfigurationError
from airflow_provider_aegis.client.signing import Credentials
from airflow_provider_aegis.client.temporary_credentials import Fetched, TemporaryCredentials
from airflow_provider_aegis.client.vendor_library import contained, explain, load_library

# A shorter value in a credentials URI guards nothing, and hiding it would blot out words of an error.
SHORTEST_SECRET = 8
# Connections whose keys are remembered; the one that was not read for longest is forgotten first.
MOST_PROVIDERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSource:
    """What a connection says about where its keys come from; its ``repr`` shows no secret.

    :param auth_type: ``ram_role_arn``, ``oidc_role_arn``, ``ecs_ram_role``, ``credentials_uri`` or ``default``.
    :param base: the keys that a role is assumed with; without them those of the default chain.
    :param policy: JSON that narrows what the role may do, without white space.
    :param ca_bundle: path of a file with further certificate authorities to trust.
    :param on_secret: told every secret that the library is handed or sends.
    """

    auth_type: str
    base: Credentials | None = None
    role_arn: str | None = None
    role_session_name: str | None = None
    role_session_expiration: int | None = None
    external_id: str | None = field(default=None, repr=False)
    policy: str | None = field(default=None, repr=False)
    oidc_provider_arn: str | None = None
    oidc_token_file: str | None = None
    role_name: str | None = None
    credentials_uri: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    on_secret: Callable[[str], object] | None = field(default=None, repr=False, compare=False)

    @property
    def account(self) -> str:
        """The number of the account that a role belongs to, else what the connection says."""
        if self.role_arn:
            return f"account {self.role_arn.split(':')[3]}"
        return f"{self.auth_type} {self.role_name or self.credentials_uri or ''}".rstrip()

    def fetch(self) -> Fetched:
        """Ask the library for keys.

        :raises SecurityCenterError: if there are none.
        :raises ConfigurationError: if the library is missing, or a file that the connection names.
        """
        library = load_library()
        from airflow_provider_aegis.client.transport.vendor import Rules

        secrets = self._confidential()

        def tell(secret: str) -> None:
            secrets.append(secret)
            if self.on_secret:
                self.on_secret(secret)

        if self.oidc_token_file:
            tell(_read_token(self.oidc_token_file))
        rules = Rules(self.ca_bundle, tell)
        with contained(rules):
            try:
                provider = self._provider(library, tell)
            except ValueError as caught:
                raise ConfigurationError(f"extra 'auth_type' {self.auth_type!r}: {caught}.") from None
            try:
                found = provider.get_credentials()
            except ConfigurationError:
                raise
            except Exception as caught:  # noqa: BLE001  (the library raises what it likes)
                error = explain(caught, self.auth_type, secrets, rules.troubles)
            else:
                expires = found.get_expiration()
                return Fetched(_keys(found), None if expires is None or expires < 0 else float(expires))
        raise error  # out here it does not carry the library's own, whose text may have secrets in it

    def _confidential(self) -> list[str | None]:
        """Return what an error must not repeat though a service may: keys, and what guards a role or a URI."""
        queried = (value for _, value in parse_qsl(urlsplit(self.credentials_uri or "").query))
        guards = [text for text in (self.external_id, *queried) if text and len(text) >= SHORTEST_SECRET]
        keys = (self.base.access_key_secret, self.base.security_token) if self.base else ()
        return [*guards, *(key.reveal() for key in keys if key)]

    def _provider(self, library: Any, tell: Callable[[str], object]) -> Any:
        """Make one of the library's providers. None is kept: a new one has no keys of before."""
        role = {
            "role_arn": self.role_arn,
            "role_session_name": self.role_session_name,
            "duration_seconds": self.role_session_expiration,
            "policy": self.policy,
        }
        match self.auth_type:
            case "ram_role_arn" if self.base:
                keys = {
                    "access_key_id": self.base.access_key_id,
                    "access_key_secret": self.base.access_key_secret.reveal(),
                    "security_token": self.base.security_token and self.base.security_token.reveal(),
                }
                return library.RamRoleArnCredentialsProvider(**role, **keys, external_id=self.external_id)
            case "ram_role_arn":
                base = _Base(library.DefaultCredentialsProvider(), tell)
                return library.RamRoleArnCredentialsProvider(
                    **role, credentials_provider=base, external_id=self.external_id
                )
            case "oidc_role_arn":
                return library.OIDCRoleArnCredentialsProvider(
                    **role, oidc_provider_arn=self.oidc_provider_arn, oidc_token_file_path=self.oidc_token_file
                )
            case "ecs_ram_role":
                return library.EcsRamRoleCredentialsProvider(role_name=self.role_name or "")
            case "credentials_uri":
                return library.URLCredentialsProvider(uri=self.credentials_uri)
            case _:
                return library.DefaultCredentialsProvider()


def _keys(found: Any) -> Credentials:
    keys = Credentials(found.get_access_key_id(), found.get_access_key_secret(), found.get_security_token() or None)
    for name, value in (
        ("AccessKey ID", keys.access_key_id),
        ("AccessKey secret", keys.access_key_secret),
        ("token", keys.security_token or "none"),
    ):
        if wrong := what_is_wrong(value):  # else it would be shown by what cannot put it into a header
            raise AuthenticationError(f"the {name} that was handed out {wrong}")
    return keys


class _Base:
    """Keys of the default chain that a role is assumed with, as the library wants them handed in.

    :param on_secret: told every secret before it is used.
    """

    def __init__(self, chain: Any, on_secret: Callable[[str], object]) -> None:
        self._chain = chain
        self._on_secret = on_secret

    def get_credentials(self) -> Any:
        """Return the library's own object."""
        found = self._chain.get_credentials()
        keys = _keys(found)
        for secret in (keys.access_key_secret, keys.security_token):
            if secret:
                self._on_secret(secret.reveal())
        return found


def _read_token(path: str) -> str:
    try:
        token = Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:  # the second for what is no text, or no path
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ConfigurationError(f"extra 'oidc_token_file' {path!r} cannot be read: {reason}.") from None
    if not token:
        raise ConfigurationError(f"extra 'oidc_token_file' {path!r} is empty.")
    return token


_providers: OrderedDict[VendorSource, TemporaryCredentials] = OrderedDict()
_providers_lock = threading.RLock()


def shared_credentials(source: VendorSource) -> TemporaryCredentials:
    """Return this process's one provider of keys for a connection."""
    with _providers_lock:
        if source not in _providers:
            _providers[source] = TemporaryCredentials(source, on_secret=source.on_secret)
        _providers.move_to_end(source)
        while len(_providers) > MOST_PROVIDERS:
            _providers.popitem(last=False)
        return _providers[source]
