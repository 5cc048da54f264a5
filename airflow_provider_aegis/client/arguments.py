"""What callers and connections hand in, refused by name where it is not what it should be."""

from __future__ import annotations

from airflow_provider_aegis.client.errors import ConfigurationError


def as_text(name: str, value: object) -> str:
    """Return a text as it is.

    :param name: of the argument or field, as the error is to have it.
    :raises ConfigurationError: if it is anything else; a template or a connection in JSON can make anything of it.
    """
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"{name} must be a text, not {type(value).__name__}.")


def check_text(name: str, value: object) -> str:
    """Return an argument's text, stripped.

    :raises ConfigurationError: if it is empty, or what a template makes of an XCom that was ``None``.
    """
    text = "" if value is None else str(value).strip()
    if text in ("", "None"):
        raise ConfigurationError(
            f"{name} is empty. If it comes from an XCom, see whether the task that should have pushed it ran and did."
        )
    return text
