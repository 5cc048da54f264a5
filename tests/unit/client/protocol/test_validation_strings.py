"""Arguments that are texts: what a template or a careless caller hands in instead is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aegis.client.errors import ConfigurationError
from airflow_provider_aegis.client.jobs import once_task
from airflow_provider_aegis.client.protocol.validation import optional_text
from airflow_provider_aegis.emulator import Emulator
from airflow_provider_aegis.hooks.aegis import AegisHook

ODD: tuple[Any, ...] = (5, 1.5, True, b"T", ["T"], {"T": 1}, object())
# Every argument that is a text, by what takes it; the hook's readers that page ask when they are gone through.
TAKES: dict[str, tuple[Callable[..., object], tuple[str, ...]]] = {
    "generate_once_task": (once_task.generate_once_task, ("once_task_type", "once_task_name", "source")),
    "get_last_once_task_info": (
        lambda source=None, **given: once_task.OnceTaskRef(**{"once_task_type": "T", **given}).read_last(source),
        ("once_task_type", "once_task_name", "source"),
    ),
    "get_once_task_result_info": (
        lambda **given: once_task.OnceTaskRef(once_task_id="id", **given).read(),
        ("once_task_type", "once_task_name"),
    ),
    "describe_once_task": (
        lambda **given: list(AegisHook().describe_once_task(**given)),
        ("once_task_type", "source"),
    ),
    "describe_once_task_leaf_record_page": (
        lambda **given: list(AegisHook().describe_once_task_leaf_record_page(**given)),
        ("once_task_type", "source"),
    ),
    "list_unfinished_once_task": (
        lambda **given: AegisHook().list_unfinished_once_task(**given),
        ("once_task_type", "target"),
    ),
}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
@pytest.mark.parametrize(("take", "name"), [(take, name) for take, (_, names) in TAKES.items() for name in names])
def test_what_is_not_a_string_is_refused_by_name(take: str, name: str, odd: Any, sas: Emulator) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} must be a .*not {type(odd).__name__}\.$"):
        TAKES[take][0](**{"once_task_type": "T", name: odd})
    assert sas.requests == {}


@pytest.mark.parametrize("empty", [None, "", "  ", "None"])
def test_a_text_that_a_template_made_of_nothing_is_none(empty: str | None) -> None:
    assert optional_text("source", empty) is None
    assert once_task.generate_once_task(once_task_type="T", source=empty).params["Source"] is None


def test_a_source_is_sent_as_it_is() -> None:
    assert once_task.generate_once_task(once_task_type="T", source=" mine ").params["Source"] == " mine "


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_the_type_is_needed_where_the_service_needs_it(nothing: Any, sas: Emulator) -> None:
    with pytest.raises(ConfigurationError, match="once_task_type is empty"):
        AegisHook().list_unfinished_once_task(once_task_type=nothing)
    with pytest.raises(ConfigurationError, match="once_task_type is empty"):
        list(AegisHook().describe_once_task_leaf_record_page(once_task_type=nothing))
    with pytest.raises(ConfigurationError, match="once_task_type or root_task_id must be given"):
        list(AegisHook().describe_once_task(once_task_type=nothing))
    assert sas.requests == {}
