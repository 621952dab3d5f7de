"""Numbers of bytes as text for people."""

import pytest

from simple_registry.sizes import readable


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
