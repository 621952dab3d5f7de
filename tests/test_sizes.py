"""Numbers of bytes as text for people."""

import pytest

from simple_registry.sizes import counted, readable


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (20 * 2**30, "20.0 GiB"),
        (3 * 2**60, "3072.0 PiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_a_size_has_the_unit_that_suits_it(size, text):
    assert readable(size) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "tag", "0 tags"), (1, "tag", "1 tag"), (1, "repository", "1 repository"), (2, "repository", "2 repositories")],
)
def test_a_noun_agrees_with_its_number(number, noun, text):
    assert counted(number, noun) == text
