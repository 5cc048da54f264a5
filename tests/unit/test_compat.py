"""Airflow's names come from wherever the Airflow that runs keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_aegis import compat


@pytest.mark.parametrize("name", compat.__all__)
def test_this_airflow_has_the_name(name: str) -> None:
    assert callable(getattr(compat, name)) or name == "conf"


def test_no_other_module_asks_the_common_compat_provider() -> None:
    package = Path(compat.__file__).parent
    assert not [path for path in package.rglob("*.py") if "providers.common.compat" in path.read_text()]


def test_a_module_that_does_not_have_a_name_yet_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(compat.__dict__, "conf", raising=False)
    monkeypatch.setitem(compat._MODULES, "conf", ("airflow.no_such_module", "json", "airflow.configuration"))
    found = compat.conf
    monkeypatch.delitem(compat.__dict__, "conf")
    assert found.getboolean("core", "unit_test_mode") in (True, False)


def test_an_airflow_without_a_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(compat.__dict__, "conf", raising=False)
    monkeypatch.setitem(compat._MODULES, "conf", ("json",))
    with pytest.raises(ImportError, match="This Airflow has no conf"):
        _ = compat.conf


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Airflow'"):
        _ = compat.Airflow  # type: ignore[attr-defined]
