"""Every row of the table of readers is what the official SDK's models say of the operation."""

from __future__ import annotations

import inspect
import re
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_aegis.client.readers import ACCOUNT, FINDINGS, READERS, Read, Reader

pytest.importorskip("alibabacloud_sas20181203")

NAMES = re.compile(r"result\['(\w+)'\] = (?:self\.(\w+)|\[\])")
REQUIRED = re.compile(r"((?:[ \t]*#[^\n]*\n)+)[ \t]*self\.(\w+) = ")


@cache
def models() -> ModuleType:
    from alibabacloud_sas20181203 import models

    return models  # type: ignore[no-any-return]


@cache
def fields(model: str) -> dict[str, str]:
    """Return the API's names of a model's fields, and the Python type of each as it is written."""
    cls = getattr(models(), model, None)
    if cls is None:
        return {}
    source = inspect.getsource(cls)
    kinds = {one.name: str(one.annotation) for one in inspect.signature(cls.__init__).parameters.values()}
    attributes = dict(re.findall(r"m\.get\('(\w+)'\)[^\n]*\n\s+(?:temp_model[^\n]*\n\s+)?self\.(\w+)", source))
    return {name: kinds.get(attribute or attributes.get(name, ""), "List") for name, attribute in NAMES.findall(source)}


def required(action: str) -> set[str]:
    """Return the parameters of which the vendor's text says that they have to be given."""
    cls = getattr(models(), f"{action}Request", None)
    if cls is None:
        return set()
    source = inspect.getsource(cls)
    names = {attribute: name for name, attribute in NAMES.findall(source) if attribute}
    told = {attribute for text, attribute in REQUIRED.findall(source) if "This parameter is required" in text}
    return {names[attribute] for attribute in told}


def place(action: str, name: str) -> str:
    """Return where an answer has a field of its pages."""
    if name in fields(f"{action}ResponseBody"):
        return "top"
    return "PageInfo" if name in fields(f"{action}ResponseBodyPageInfo") else ""


everyone = pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))


@everyone
def test_its_parameters_are_those_of_the_operation(reader: Reader) -> None:
    params = fields(f"{reader.action}Request")
    assert ("PageSize" in params) == (reader.paging != "none")
    assert {name for name in ("CurrentPage", "PageSize") if params.get(name) == "str"} == set(reader.texts)
    assert ("UseNextToken" in params) == bool(reader.token) == (reader.paging == "token")
    assert (ACCOUNT in params) == reader.accounts
    assert ("Lang" in params) == reader.lang
    if reader.for_each:
        assert reader.for_each.param in params


@everyone
def test_what_it_cannot_do_without_is_what_the_vendor_says(reader: Reader) -> None:
    always_sent = {"CurrentPage", "PageSize", "Lang"}
    assert set(reader.required) == required(reader.action) - always_sent


@everyone
def test_its_list_and_the_fields_of_its_records_are_there(reader: Reader) -> None:
    body = fields(f"{reader.action}ResponseBody")
    assert "List" in body[reader.records]
    record = fields(f"{reader.action}ResponseBody{reader.records}")
    copied: set[str] = set()
    if reader.for_each:
        outer = READERS[reader.for_each.action]
        outside = fields(f"{outer.action}ResponseBody{outer.records}")
        assert {*reader.for_each.copied, reader.for_each.value_field} <= set(outside)
        assert set(reader.for_each.params) <= set(fields(f"{outer.action}Request"))
        copied = {*reader.for_each.copied, reader.for_each.param}
        assert not copied & set(record)
    named = {*reader.key, *([reader.urgency] if reader.urgency else [])}
    assert named <= set(record) | copied


@everyone
def test_its_total_and_its_token_stand_where_the_table_says(reader: Reader) -> None:
    assert place(reader.action, "TotalCount") == reader.total
    assert place(reader.action, "NextToken") == reader.token


def test_the_operations_that_can_be_read_by_token_are_all_known() -> None:
    able = {name.removesuffix("Request") for name in vars(models()) if name.endswith("Request") and by_token(name)}
    assert able - set(READERS) == {"ListGroups"}


def by_token(model: str) -> bool:
    cls: Any = getattr(models(), model)
    return "use_next_token" in inspect.signature(cls.__init__).parameters


@pytest.mark.parametrize(
    "read", [read for one in FINDINGS.values() for read in one.reads], ids=lambda read: f"{read.action}{read.params}"
)
def test_a_set_gives_its_operations_parameters_that_they_take(read: Read) -> None:
    assert set(read.params) <= set(fields(f"{read.action}Request"))
    reader = READERS[read.action]
    iterated = {reader.for_each.param} if reader.for_each else set()
    assert set(reader.required) - iterated <= set(read.params)
