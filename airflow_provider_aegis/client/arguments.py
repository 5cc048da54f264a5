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

    :raises ConfigurationError: if it is no text, empty, or what a template makes of an XCom that was ``None``.
    """
    text = "" if value is None else as_text(name, value).strip()
    if text in ("", "None"):
        raise ConfigurationError(
            f"{name} is empty. If it comes from an XCom, see whether the task that should have pushed it ran and did."
        )
    return text


def check_id(name: str, value: object) -> str:
    """Return a scan's id as text, stripped.

    :param value: a text, or a number as the API's schema has it.
    :raises ConfigurationError: if it cannot be an id. It often is a whole payload, given as it is or by a template that
        made a text of it, or the ``TaskId`` of a payload, which is 0.
    """
    what = type(value).__name__
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        text = check_text(name, str(value) if isinstance(value, int) else value)
        if text != "0" and text[0] not in "{[":
            return text
        what = "0" if text == "0" else "a payload"
    raise ConfigurationError(
        f"{name} must be the id of a scan, not {what}. A task that waits for its scan returns the payload: "
        f'take the XCom with the key once_task_id, as in XComArg(scan, key="once_task_id").'
    )
