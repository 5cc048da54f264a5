"""The default chain: the places where Alibaba Cloud's own tools look for credentials, in their order.

The first place that names a source of credentials decides: if that source fails, its error is raised. The next place
may have credentials of another account, so it is no substitute. A place that names no source is skipped.
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_aegis.client.credentials import instance_metadata
from airflow_provider_aegis.client.credentials.base import Clock, Fetched, Source, StaticCredentials
from airflow_provider_aegis.client.credentials.instance_metadata import InstanceMetadata
from airflow_provider_aegis.client.credentials.sts import (
    DEFAULT_SESSION_NAME,
    DEFAULT_SESSION_SECONDS,
    AssumeRole,
    AssumeRoleWithOIDC,
)
from airflow_provider_aegis.client.credentials.uri import CredentialsUri, check_uri
from airflow_provider_aegis.client.errors import (
    AuthenticationError,
    ConfigurationError,
    SecurityCenterError,
    UnreachableError,
)
from airflow_provider_aegis.client.flows.commands import Content, Flow, ReadFile
from airflow_provider_aegis.client.protocol.signing import Credentials

ACTION = "default chain"
NOTHING = (
    "none of the places where the default chain looks has credentials: environment variables, OIDC, "
    "~/.aliyun/config.json, ~/.alibabacloud/credentials.ini, instance metadata, ALIBABA_CLOUD_CREDENTIALS_URI"
)
MAX_FILE_BYTES = 1024 * 1024
KEYS = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
ROLE_ARN, OIDC_PROVIDER_ARN = "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
OIDC_TOKEN_FILE, CREDENTIALS_URI = "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_CREDENTIALS_URI"


@dataclass(frozen=True, slots=True)
class DefaultChain:
    """The credentials of the first place that names a source. Everything is read when it is needed."""

    @property
    def account(self) -> str:
        """One name for all: the account is not known before the credentials are used."""
        return "default"

    def fetch(self, clock: Clock) -> Flow[Fetched]:
        """Search one place after another."""
        source = _environment() or (yield from _files())
        if source:
            return (yield from source.fetch(clock))
        trouble: SecurityCenterError | None = None
        if not instance_metadata.is_disabled():
            reply = yield instance_metadata.token_request()
            try:
                return (yield from InstanceMetadata().fetch_with(reply))
            except SecurityCenterError as error:
                # Without an ECS instance there is no metadata service, which is not a failure.
                trouble = error if error.transient and type(reply) is not UnreachableError else None
        if uri := os.environ.get(CREDENTIALS_URI):
            return (yield from CredentialsUri(check_uri(uri, named=CREDENTIALS_URI)).fetch(clock))
        if trouble:
            message = f"a place where the default chain looks failed: {trouble.message}"
            raise UnreachableError(message, action=ACTION, http_status=trouble.http_status)
        raise AuthenticationError(NOTHING, action=ACTION)


def _environment() -> Source | None:
    if keys := _static([os.environ.get(name) for name in KEYS], KEYS):
        return keys
    role_arn, provider_arn, file = (os.environ.get(name) for name in (ROLE_ARN, OIDC_PROVIDER_ARN, OIDC_TOKEN_FILE))
    if not (role_arn and provider_arn and file):
        return None
    return AssumeRoleWithOIDC(
        role_arn=role_arn,
        role_session_name=_session_name(),
        oidc_provider_arn=provider_arn,
        oidc_token_file=file,
        file_named=OIDC_TOKEN_FILE,
    )


def _files() -> Flow[Source | None]:
    """Search the files of the command line tool and of the vendor's libraries."""
    own = os.environ.get("ALIBABA_CLOUD_CREDENTIALS_FILE") or "~/.alibabacloud/credentials.ini"
    disabled = os.environ.get("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "").lower() == "true"
    for name, read in (("" if disabled else "~/.aliyun/config.json", _read_config), (own, _read_ini)):
        try:
            path = str(Path(name).expanduser())
        except RuntimeError:  # there is no home directory
            continue
        content = (yield ReadFile(path, MAX_FILE_BYTES)) if name else None
        if isinstance(content, Content) and (source := _read(read, content, path)):
            return source
    return None


def _read(read: Callable[[bytes, str], Source | None], content: Content, path: str) -> Source | None:
    """Read a file. Error trackers show the variables of the frames of an error: none of these contains secrets."""
    try:
        if len(content.content) <= MAX_FILE_BYTES:
            return read(content.content, path)
        message = f"{path} is longer than {MAX_FILE_BYTES // 1024} KiB."
    except ConfigurationError as error:
        message = str(error)
    except (configparser.Error, ValueError, RecursionError):
        message = f"{path} cannot be read: it is not in the format that its name says."
    raise ConfigurationError(message)


def _read_config(content: bytes, path: str) -> Source | None:
    """Find the profile in use in the command line tool's ``config.json``."""
    config = json.loads(content)
    if not isinstance(config, dict) or not isinstance(listed := config.get("profiles") or [], list):
        raise ValueError
    profiles: dict[str, Any] = {}
    for one in listed:
        if isinstance(one, dict):
            profiles.setdefault(str(one.get("name")), one)
    name = str(os.environ.get("ALIBABA_CLOUD_PROFILE") or config.get("current"))
    return _of_profile(profiles, name, path) if name in profiles else None


def _of_profile(profiles: Mapping[str, Any], name: str, path: str, *users: str) -> Source | None:
    """Return the source of a profile's credentials.

    :param users: the profiles that use this one as their source.
    """
    profile = _Profile(profiles[name], f"{path}, profile {name!r}")
    match mode := profile.text("mode"):
        case "AK":
            return profile.static()
        case "StsToken":
            return profile.static(profile.needed("sts_token"))
        case "RamRoleArn":
            return profile.role(profile.static(), "ram_role_arn", "ram_session_name")
        case "ChainableRamRoleArn":
            other = profile.needed("source_profile")
            if other in (name, *users) or other not in profiles:
                raise ConfigurationError(f"{profile.where}: 'source_profile' {other!r} leads nowhere.")
            base = _of_profile(profiles, other, path, name, *users)
            return profile.role(base, "ram_role_arn", "ram_session_name")
        case "EcsRamRole":
            return InstanceMetadata(profile.text("ram_role_name"))
        case "OIDC":
            return profile.oidc("ram_role_arn", "oidc_token_file")
    raise profile.refused(f"mode {mode!r}")


def _read_ini(content: bytes, path: str) -> Source | None:
    """Find the section in use in ``credentials.ini``."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(content.decode("utf-8-sig"))
    name = os.environ.get("ALIBABA_CLOUD_PROFILE") or "default"
    if not config.has_section(name):
        return None
    profile = _Profile({key: text.split("#")[0].strip() for key, text in config.items(name)}, f"{path}, [{name}]")
    match kind := profile.text("type"):
        case "access_key":
            return profile.static()
        case "ram_role_arn":
            return profile.role(profile.static(), "role_arn", "role_session_name")
        case "oidc_role_arn":
            return profile.oidc("role_arn", "oidc_token_file_path")
        case "ecs_ram_role":
            return InstanceMetadata(profile.text("role_name"))
    raise profile.refused(f"type {kind!r}")


@dataclass(frozen=True, slots=True)
class _Profile:
    """One profile or section of a file.

    :param where: its name in error texts.
    """

    fields: Mapping[str, Any] = field(repr=False)
    where: str

    def text(self, name: str) -> str | None:
        """Return the string in a field, or ``None`` if it is empty."""
        value = self.fields.get(name)
        if value is None or isinstance(value, str):
            return value or None
        raise ConfigurationError(f"{self.where}: {name!r} must be a string, not {type(value).__name__}.")

    def needed(self, name: str, variable: str = "") -> str:
        """Return the string in a field, or the value of an environment variable."""
        if text := self.text(name) or os.environ.get(variable):
            return text
        raise ConfigurationError(f"{self.where}: {name!r} is empty.")

    def static(self, token: str | None = None) -> StaticCredentials | None:
        """Return the static credentials of this profile, if there are any."""
        names = (f"{self.where}: 'access_key_id'", f"{self.where}: 'access_key_secret'", f"{self.where}: 'sts_token'")
        return _static((self.text("access_key_id"), self.text("access_key_secret"), token), names)

    def role(self, base: Source | None, role_arn: str, session_name: str) -> AssumeRole:
        """Return the role of this profile."""
        if base is None:
            raise ConfigurationError(f"{self.where} has no credentials to assume the role with.")
        return AssumeRole(base=base, external_id=self.text("external_id"), **self._common(role_arn, session_name))

    def oidc(self, role_arn: str, file: str) -> AssumeRoleWithOIDC:
        """Return the role of this profile, assumed with an OIDC token."""
        return AssumeRoleWithOIDC(
            oidc_provider_arn=self.needed("oidc_provider_arn", OIDC_PROVIDER_ARN),
            oidc_token_file=self.needed(file, OIDC_TOKEN_FILE),
            file_named=f"{self.where}: {file!r}",
            **self._common(role_arn, "role_session_name"),
        )

    def _common(self, role_arn: str, session_name: str) -> dict[str, Any]:
        seconds, vpc = self.fields.get("expired_seconds"), self.fields.get("enable_vpc")
        return {
            "role_arn": self.needed(role_arn, ROLE_ARN),
            "role_session_name": self.text(session_name) or _session_name(),
            "duration_seconds": seconds if isinstance(seconds, int) and seconds > 0 else DEFAULT_SESSION_SECONDS,
            "policy": self.text("policy"),
            "region": self.text("sts_region"),
            "vpc": vpc if isinstance(vpc, bool) else None,
        }

    def refused(self, what: str) -> ConfigurationError:
        """Return the error of a source that is not supported: it needs a browser, a program, or is unknown."""
        return ConfigurationError(
            f"{self.where} has {what}, which is not supported here: programs are not run and browsers not opened for "
            "credentials. Choose another profile with ALIBABA_CLOUD_PROFILE, or another auth_type."
        )


def _static(values: Sequence[str | None], names: tuple[str, str, str]) -> StaticCredentials | None:
    access_key_id, secret, token = values
    if not (access_key_id and secret):
        return None
    return StaticCredentials(Credentials(access_key_id, secret, token or None), names)


def _session_name() -> str:
    return os.environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME") or DEFAULT_SESSION_NAME
