"""Patterns: RE2, unanchored, linear in time, and never a surprise."""

import re
import time

import pytest
import re2
from hypothesis import given, strategies as st

from simple_registry.access.scopes import (
    MAX_CLIENT_PATTERN,
    MAX_SET,
    PatternInvalid,
    ScopeName,
    ScopePattern,
    escape,
)

utf8 = st.text(st.characters(codec="utf-8"), max_size=40)
words = st.text("ab/:.-", max_size=8)
common = st.recursive(
    st.text("ab/:", min_size=1, max_size=3).map(re.escape) | st.sampled_from([".", "[a-b]", "[^/]", "a?", ".*", ".+"]),
    lambda inner: (
        st.tuples(inner, inner).map("".join) | st.tuples(inner, inner).map(lambda pair: f"({'|'.join(pair)})")
    ),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("^$", [""], ["a", "a:v1"]),
        ("^.+$", ["a", "a/b:v1"], [""]),
        ("^.*$", ["", "a", "a/b:v1"], []),
        ("", ["", "a", "a/b:v1"], []),
        ("^library/.*$", ["library/x", "library/x/y:v1"], ["library", "my/library/x", ""]),
        (
            "^team1/project(:.+)?$",
            ["team1/project", "team1/project:v1"],
            ["team1/project2", "team1/project/x", "team1"],
        ),
        ("^team1/[^/]+$", ["team1/a", "team1/a:v1"], ["team1/a/b", "team1"]),
        ("^team/app(:v.+)?$", ["team/app", "team/app:v1"], ["team/app:latest", "team/app:v"]),
        ("team", ["team", "my/team/x:v1", "steam"], ["tea"]),
        ("^team/app$", ["team/app"], ["team/app:v1"]),
        (r"^\d$", ["1"], ["\u0661"]),
        ("(?i)^TEAM$", ["team", "Team"], ["teams"]),
    ],
)
def test_a_pattern_looks_for_itself_anywhere(pattern, matching, other):
    compiled = ScopePattern(pattern)
    assert [scope for scope in matching if not compiled.matches(scope)] == []
    assert [scope for scope in other if compiled.matches(scope)] == []


def test_a_line_end_is_not_an_end():
    assert not ScopePattern("^team$").matches("team\n")
    assert not ScopePattern("team").matches_wholly("team\n")


@pytest.mark.parametrize(
    "text", ["(", "[", "a{2,1}", "*", r"(a)\1", "(?=a)", "(?<!a)b", r"\q", "a**", "a{1001}", "\ud800", "x" * 10_000_000]
)
def test_an_invalid_pattern_is_refused_with_a_reason(text):
    with pytest.raises(PatternInvalid) as refusal:
        ScopePattern(text)
    assert str(refusal.value)


def test_no_pattern_can_stall():
    pattern = ScopePattern("(a*)*(a|aa)+(a+)+$")
    started = time.monotonic()
    assert not pattern.matches("a" * 5000 + "b")
    assert time.monotonic() - started < 1


@given(common, words)
def test_a_pattern_occurs_where_a_search_finds_it(pattern, scope):
    compiled = ScopePattern(pattern)
    assert compiled.matches(scope) == (re2.search(pattern, scope) is not None)
    assert compiled.matches_wholly(scope) == (re2.fullmatch(pattern, scope) is not None)


def test_a_large_pattern_is_found_too():
    pattern = ScopePattern("|".join(f"{letter}{{900}}" for letter in "abcdefg"))
    assert re2.compile(pattern.text).programsize > MAX_SET
    assert pattern.matches("x" + "f" * 900)
    assert not pattern.matches("f" * 899 + "a" * 899)


@given(utf8, utf8)
def test_an_escaped_text_matches_only_itself(text, other):
    pattern = ScopePattern(escape(text))
    assert pattern.matches_wholly(text)
    assert pattern.matches_wholly(other) == (text == other)
    assert pattern.matches(f"{other}{text}{other}")


@given(common, words)
def test_syntax_that_re_shares_matches_the_same(pattern, scope):
    for text in (pattern, f"^{pattern}$", f"^(?:{pattern})"):
        assert ScopePattern(text).matches(scope) == (re.search(text, scope) is not None)
    assert ScopePattern(pattern).matches_wholly(scope) == (re.fullmatch(pattern, scope) is not None)


@given(utf8)
def test_any_text_is_a_pattern_or_refused_and_nothing_worse(text):
    try:
        pattern = ScopePattern(text)
    except PatternInvalid:
        return
    assert pattern.matches("team/app:v1") in {True, False}


@pytest.mark.parametrize(
    ("pattern", "below", "never"),
    [
        ("^$", [], ["a:", "team/app:"]),
        ("^team/app$", [], ["team/app:", "team/app2:", "team:"]),
        ("^team/app(:.+)?$", ["team/app:"], ["team/ap:", "team:", "lib/app:"]),
        ("^team/app:secret$", ["team/app:"], ["team/app2:", "team/ap:"]),
        ("^team/(web|api)(:.+)?$", ["team/web:", "team/api:"], ["lib/web:", "team:"]),
        (r"^team\.x/[^|)]+:v", ["team.x/a:"], ["team/x:", "teamax/a:"]),
        ("^te", ["team:"], ["ta:"]),
        # In doubt, a pattern may match.
        ("team", ["team:", "a/team:", "lib:"], []),
        ("^.+:release$", ["team:"], []),
        ("^team/.+|lib", ["team/a:", "a/lib:"], []),
        ("(?i)^TEAM/", ["team/a:"], []),
        ("^*team", ["a/team:"], []),
        (r"^\Qteam|a\E", ["team|a:"], []),
        ("", ["a:"], []),
    ],
)
def test_where_a_pattern_may_match_is_known_from_its_beginning(pattern, below, never):
    compiled = ScopePattern(pattern)
    assert [beginning for beginning in below if not compiled.may_match_below(beginning)] == []
    assert [beginning for beginning in never if compiled.may_match_below(beginning)] == []


@given(common, st.text("ab/:", max_size=4), words)
def test_no_match_is_missed_below_its_beginning(pattern, beginning, rest):
    for text in (pattern, f"^{pattern}", f"^{pattern}$", f"^(?:{pattern})", f"^{pattern}|b"):
        compiled = ScopePattern(text)
        if compiled.matches(beginning + rest):
            assert compiled.may_match_below(beginning)


def test_equal_texts_make_equal_patterns():
    assert ScopePattern("a") == ScopePattern("a")
    assert len({ScopePattern("a"), ScopePattern("a"), ScopePattern("b")}) == 2


@given(common, words)
def test_a_pattern_of_a_client_means_what_it_means_in_a_document(pattern, scope):
    client, document = ScopePattern(pattern, of_client=True), ScopePattern(pattern)
    assert client.matches(scope) == document.matches(scope)
    assert client.matches_wholly(scope) == document.matches_wholly(scope)


@pytest.mark.parametrize("pattern", ["(?:[a-z]{1,9}/?){50}:v$", "(a|b)*a(a|b){200}$", "([ab]|xy){300}"])
def test_a_pattern_of_a_client_is_right_where_its_automaton_outgrows_its_memory(pattern):
    client, document = ScopePattern(pattern, of_client=True), ScopePattern(pattern)
    for scope in ("a" * 300, "ab" * 200, "a/b" * 90 + ":v", "xyz" * 200, "xyz" * 199, "b" * 100 + "a" + "b" * 200):
        assert client.matches(scope) == document.matches(scope)


@pytest.mark.parametrize("pattern", [r"(?i)(\pL|\pN){400}x", "a{999}b{999}", r"\pL" * 60, "[^a]{400}"])
def test_an_expensive_pattern_is_allowed_in_documents_only(pattern):
    with pytest.raises(PatternInvalid, match="large"):
        ScopePattern(pattern, of_client=True)
    assert ScopePattern(pattern).size > MAX_CLIENT_PATTERN // 2


def test_a_name_is_itself_and_its_tags():
    name = ScopeName("team/app")
    assert [scope for scope in ("team/app", "team/app:v1", "team/app:") if not name.matches(scope)] == []
    assert [scope for scope in ("", "team/ap", "team/apps", "team/app/x:v1", "a/team/app") if name.matches(scope)] == []
