import pytest

from bench.pages import percentile


@pytest.mark.parametrize(
    ("values", "expected"), [([1.0], 1.0), (list(range(100, 0, -1)), 95), (list(range(1, 21)), 19)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values, expected):
    assert percentile(values, 95) == expected
