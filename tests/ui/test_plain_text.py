"""Text that is shown hides nothing and has a bound."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.ui.plain_text import CUT, plain


@pytest.mark.parametrize(
    "text", ["", "RUN apk add \\\n\tcurl", "naïve 日本 🚢", "<script>alert(1)</script>", "a\u0301"]
)
def test_ordinary_text_stays_as_it_is(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("\x1b[2J", "\\u001b[2J"),
        ("la\u200btest", "la\\u200btest"),
        ("\ud800", "\\ud800"),
        ("a\rb\x00", "a\\u000db\\u0000"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
    ],
)
def test_what_would_not_be_seen_is_written_out(text, shown):
    assert plain(text) == shown


def test_a_long_text_is_cut_and_says_so():
    assert plain("abcdef", 3) == f"abc{CUT}"
    assert plain("abc", 3) == "abc"


@given(st.text())
def test_any_text_can_be_sent(text):
    plain(text).encode("utf-8")
