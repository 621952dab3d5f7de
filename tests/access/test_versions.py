"""Tags as versions: their order, and the ranges that include them."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.versions import RangeInvalid, find_version, parse_range, version_key


def includes(text, tag):
    version = find_version(tag)
    return version is not None and parse_range(text).includes(version)


def test_the_order_is_that_of_the_specification():
    ordered = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
    keys = [find_version(text).precedence for text in ordered.split()]
    assert all(earlier < later for earlier, later in pairwise(keys))


@pytest.mark.parametrize("tag", ["1", "v1", "1.2", "v1.2.3", "1.2.3-rc.1", "1.2.3-rc.1_build.7", "2024.01.05", "1.2_b"])
def test_a_tag_is_a_version(tag):
    assert find_version(tag) is not None


@pytest.mark.parametrize(
    "tag", ["", "latest", "v", "V1", "1.", "1.2.3.4", "1.27-alpine", "2024-01-05", "1.2.3-", "1.2.3-a..b", "1\n", "٣"]
)
def test_a_tag_is_no_version(tag):
    assert find_version(tag) is None


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.2 <3", "1.2 v1.2.0 1.2.0-rc1 2.9.9 2", "1.1.9 3 3.0.0 3.0.0-rc1 3.1"),
        (">= 1.2.0", "1.2.0 1.2.1-rc1 7", "1.2.0-rc1 1.1.9"),
        ("<3.0.0", "2.9.9 3.0.0-rc1", "3.0.0 3"),
        ("1.2", "1.2 1.2.0 1.2.9-rc1 v1.2.3", "1.1.9 1.3.0"),
        ("=1.2.3", "1.2.3 v1.2.3_build", "1.2.4 1.2.3-rc1"),
        (">1.2", "1.3 2", "1.2.9"),
        ("<=1.2", "1.2.9 1 0", "1.3.0"),
        (">1.2.3", "1.2.4 1.3", "1.2.3 1.2"),
        ("1 || >=3 <4", "1.9 3.5", "2 4"),
    ],
)
def test_a_range_includes(text, inside, outside):
    assert [tag for tag in inside.split() if not includes(text, tag)] == []
    assert [tag for tag in outside.split() if includes(text, tag)] == []


@pytest.mark.parametrize(
    "text", ["", "x", ">=", "1.2 <", "<>1", "^1.2", "~1", "1.x", "1 ||", "|| 1", "1 | 2", "1.2.3.4"]
)
def test_a_text_is_no_range(text):
    with pytest.raises(RangeInvalid, match="write for example"):
        parse_range(text)


NUMBERS = st.lists(st.integers(0, 20), min_size=3, max_size=3)


@given(NUMBERS, NUMBERS)
def test_the_comparators_agree_with_the_order(left, right):
    tag, bound = (".".join(map(str, each)) for each in (left, right))
    assert includes(f">={bound}", tag) is (left >= right) is not includes(f"<{bound}", tag)
    assert includes(f">{bound}", tag) is (left > right) is not includes(f"<={bound}", tag)
    assert includes(bound, tag) is (left == right)


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_refused(text):
    with suppress(RangeInvalid):
        parse_range(text)


VERSIONS = st.from_regex(r"v?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3}){0,2}", fullmatch=True) | st.from_regex(
    r"[0-9]{1,2}\.[0-9]\.[0-9]-[0-9a-zA-Z-]{1,4}(\.[0-9a-zA-Z-]{1,4}){0,2}", fullmatch=True
)


def test_versions_follow_each_other_after_other_tags():
    prereleases = "v1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-rc.2 1.0.0-rc.11"
    ordered = f"latest main 0.9 {prereleases} v1 1.0.1 1.2 1.10 2024.01.05"
    keys = [version_key(tag) for tag in ordered.split()]
    assert all(earlier < later for earlier, later in pairwise(keys))


@given(VERSIONS, VERSIONS)
def test_the_order_is_that_of_precedence(one, other):
    first, second = find_version(one), find_version(other)
    if first.precedence != second.precedence:
        assert (version_key(one) < version_key(other)) == (first.precedence < second.precedence)
    else:
        assert (version_key(one) < version_key(other)) == (one < other)


@given(st.text(), st.text())
def test_each_tag_has_a_key_of_its_own(one, other):
    assert (version_key(one) == version_key(other)) == (one == other)
