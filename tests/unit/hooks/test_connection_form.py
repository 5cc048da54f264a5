"""The form in Airflow's UI."""

from __future__ import annotations

import pytest

from airflow_provider_aegis.client.protocol.endpoints import REGIONS
from airflow_provider_aegis.hooks.auth import AUTH_FIELDS, AUTH_TYPES
from airflow_provider_aegis.hooks.connection_form import CREDENTIALS, FIELDS, Field, conn_fields, ui_field_behaviour

STANDARD = ("login", "password", "host")


def test_every_extra_of_the_table_is_in_the_form_with_its_default() -> None:
    form = conn_fields()
    assert list(form) == [one.name for one in FIELDS if one.name not in (*STANDARD, "max_poll_delay")]
    for one in FIELDS:
        if one.name in form:
            assert form[one.name]["schema"].get("default") == one.default


def test_what_everybody_needs_comes_first_and_the_rest_is_folded_away() -> None:
    form = conn_fields()
    assert [name for name, one in form.items() if "section" not in one["schema"]] == ["region", "auth_type"]
    assert list(form)[:2] == ["region", "auth_type"]
    credentials = {name for name, one in form.items() if one["schema"].get("section") == CREDENTIALS}
    assert credentials == set(AUTH_FIELDS) - set(STANDARD)


def test_known_regions_are_suggested_and_any_other_can_be_typed() -> None:
    region = conn_fields()["region"]["schema"]
    assert set(region["examples"]) == REGIONS
    assert "enum" not in region


def test_every_kind_of_authentication_has_a_name_that_ends_in_its_value() -> None:
    schema = conn_fields()["auth_type"]["schema"]
    assert schema["enum"] == [*AUTH_TYPES]
    assert all(schema["values_display"][value].endswith(f" ({value})") for value in AUTH_TYPES)


def test_the_endpoints_placeholder_leads_to_the_region() -> None:
    behaviour = ui_field_behaviour()
    assert behaviour["placeholders"]["host"] == "leave empty: set Region under Extra Fields"
    assert behaviour["relabeling"] == {
        "login": "AccessKey ID",
        "password": "AccessKey secret",
        "host": "Endpoint",
    }


@pytest.mark.parametrize("one", FIELDS, ids=lambda one: one.name)
def test_a_description_is_one_sentence(one: Field) -> None:
    assert one.description.endswith(".")
    assert ". " not in one.description
    assert len(one.description) < 200


def test_secret_extras_have_names_that_airflow_masks() -> None:
    passwords = [name for name, one in conn_fields().items() if one["schema"].get("format") == "password"]
    assert passwords == ["security_token"]
