"""Sets of names: subtracted exactly, and written as patterns of RE2."""

import itertools

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.scopes import ScopePattern
from simple_registry.config.foreign import languages
from simple_registry.config.foreign.languages import (
    ALPHABET,
    ANY,
    EMPTY,
    EVERYTHING,
    NOTHING,
    characters,
    difference,
    either,
    is_nullable,
    optional,
    overlap,
    pattern,
    repeated,
    sequence,
)
from simple_registry.config.values import ConfigError

NAMES = ["".join(each) for length in range(5) for each in itertools.product("ab/", repeat=length)]
expressions = st.recursive(
    st.sampled_from([characters("a"), characters("b"), characters("/"), characters("ab"), ANY, EMPTY, NOTHING]),
    lambda inner: st.one_of(
        st.builds(sequence, inner, inner), st.builds(either, inner, inner), inner.map(repeated), inner.map(optional)
    ),
    max_leaves=8,
)


def words(*texts):
    return either(*(sequence(*map(characters, text)) for text in texts))


def matched(expression):
    scope = ScopePattern(pattern(expression)) if expression != NOTHING else None
    return {name for name in NAMES if scope and scope.matches(name)}


@given(expressions, st.lists(expressions, max_size=3))
def test_a_difference_is_what_is_left(expression, others):
    left = difference(expression, others)
    assert matched(left) == matched(expression).difference(*map(matched, others))


@given(expressions, expressions)
def test_expressions_overlap_if_a_name_is_in_both(one, other):
    without_other = difference(repeated(ANY), [other])
    assert overlap(one, other) == (difference(one, [without_other]) != NOTHING)
    assert overlap(one, other) >= bool(matched(one) & matched(other))


@given(expressions)
def test_the_empty_text_is_in_nullable_expressions(expression):
    assert is_nullable(expression) == ("" in matched(expression))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (EVERYTHING, "^.+$"),
        (words("ab"), "^ab(:.+)?$"),
        (words("a", "ab"), "^(a|ab)(:.+)?$"),
        (sequence(characters("a"), repeated(characters("a"))), "^a+(:.+)?$"),
        (optional(words("ab")), "^(ab)?(:.+)?$"),
        (repeated(words("ab", "cd")), "^(ab|cd)*(:.+)?$"),
        (repeated(ANY), "^[^:]*(:.+)?$"),
        (characters("abcx"), "^[a-cx](:.+)?$"),
        (characters("._-"), r"^[._\-](:.+)?$"),
        (characters(ALPHABET - {"-", "/"}), r"^[^/\-:](:.+)?$"),
        (difference(EVERYTHING, [words("a")]), "^([^a:]|[^:][^:]+)(:.+)?$"),
    ],
)
def test_patterns_are_short(expression, text):
    written = pattern(expression)
    assert ScopePattern(written)
    assert len(written) <= len(text) + 8
    assert matched(expression) == {name for name in NAMES if ScopePattern(text).matches(name)}


def test_nothing_is_left_of_a_subset():
    assert difference(words("a"), [words("a", "b")]) == NOTHING
    assert difference(words("a"), []) == words("a")


def test_differences_have_a_bound(monkeypatch):
    monkeypatch.setattr(languages, "MAX_STATES", 3)
    with pytest.raises(ConfigError, match="too many ways"):
        difference(words("abcd"), [words("ab")])
