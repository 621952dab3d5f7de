"""Whole numbers that clients write."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.numbers import MAX_NUMBER, parse_number


@given(st.integers(0, 2**70), st.integers(0, 30))
def test_digits_are_the_number_that_they_spell_up_to_the_largest(number, zeros):
    assert parse_number("0" * zeros + str(number)) == min(number, MAX_NUMBER)


@pytest.mark.parametrize("text", ["9" * 5000, "0" * 5000 + "7", "18446744073709551616"])
def test_a_number_may_have_any_length(text):
    assert parse_number(text) in {MAX_NUMBER, 7}


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1\n", "+1", "-1", "1_0", "1.0", "1e3", "0x10", "\u0661", "\uff11\uff10", "\u00b2"]
)
def test_only_ascii_digits_are_a_number(text):
    assert parse_number(text) is None


@given(st.text())
def test_any_text_is_a_number_or_none(text):
    number = parse_number(text)
    assert number is None or (0 <= number <= MAX_NUMBER and text.isascii())
