from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aegis.client.protocol.redaction import LONGEST, printable, without
from tests.fakes import patiently


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", "plain text"),
        ("中文 é 😀", "中文 é 😀"),
        ("two\nlines\r\n", "two\\nlines\\r\\n"),
        ("tab\there", "tab\\there"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("bell\x07 nul\x00 del\x7f c1\x9b", "bell\\x07 nul\\x00 del\\x7f c1\\x9b"),
        ("line\u2028separator\u2029", "line\\u2028separator\\u2029"),
        ("right\u202eto left", "right\\u202eto left"),
        ("half of a pair \ud800", "half of a pair \\ud800"),
        (12, "12"),
        (None, "None"),
        ("", ""),
    ],
)
def test_text_from_outside_becomes_one_printable_line(value: object, text: str) -> None:
    assert printable(value) == text


@pytest.mark.parametrize(
    ("length", "kept"), [(LONGEST, LONGEST), (LONGEST + 1, LONGEST + 1), (10_000_000, LONGEST + 1)], ids=str
)
def test_long_text_is_cut_and_says_so(length: int, kept: int) -> None:
    text = printable("x" * length)
    assert len(text) == kept
    assert text.endswith("…") == (length > LONGEST)


def test_how_much_is_kept_is_the_callers_choice() -> None:
    assert printable("abcdef", longest=3) == "abc…"


@patiently
@given(st.text(st.characters()))
def test_nothing_that_moves_a_terminals_cursor_gets_through(text: str) -> None:
    assert printable(text).isprintable()


def test_printing_what_is_printable_changes_nothing() -> None:
    """What was escaped once goes through again when an error is stored and read back."""
    once = printable("\n" * LONGEST)
    assert printable(once) == once


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("no secret", "no secret"),
        ("key is a+b/c=, a+b/c=!", "key is ***, ***!"),
        ("SecurityToken=a%2Bb%2Fc%3D&x", "SecurityToken=***&x"),
        ("page?q=a%2bb/c%3d", "page?q=***"),
        ("GET&%2F&SecurityToken%3Da%252Bb%252Fc%253D%26x", "GET&%2F&SecurityToken%3D***%26x"),
        (
            "Credential=id,SignedHeaders=host;x-acs-date,Signature=0a1b.",
            "Credential=id,SignedHeaders=host;x-acs-date,Signature=***",
        ),
        ("?Signature=YWJj%3D&SignatureNonce=1", "?Signature=***&SignatureNonce=1"),
        ("Signature%3DYWJj%253D, x-acs-signature-nonce:1", "Signature%3D***, x-acs-signature-nonce:1"),
    ],
)
def test_secrets_and_signatures_are_taken_out_plain_and_percent_encoded(text: str, clean: str) -> None:
    assert without(text, ["a+b/c=", None, ""]) == clean
