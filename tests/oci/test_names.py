"""Repository names, tags and references: exactly the grammars of the specification."""

import contextlib
import re

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import DigestInvalid, NameInvalid, TagInvalid
from simple_registry.oci.names import parse_reference, parse_repository_name, parse_tag

# Copied from the specification, section "Pulling manifests".
NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"

words = st.text("abz019", min_size=1, max_size=4)
separators = st.sampled_from([".", "_", "__", "-", "---", "/"])
names = st.builds(
    lambda first, rest: first + "".join(separator + word for separator, word in rest),
    words,
    st.lists(st.tuples(separators, words), max_size=8),
)
tags = st.from_regex(TAG, fullmatch=True)


@given(names)
def test_every_name_of_the_grammar_is_accepted_as_it_is(name):
    assert parse_repository_name(name) == name


@given(tags)
def test_every_tag_of_the_grammar_is_accepted_as_it_is(tag):
    assert parse_tag(tag) == parse_reference(tag) == tag


@given(st.text())
def test_text_is_a_name_exactly_when_the_grammar_says_so(text):
    valid = len(text) <= 255 and re.fullmatch(NAME, text) is not None
    try:
        assert parse_repository_name(text) == text
    except NameInvalid:
        assert not valid
    else:
        assert valid


@given(st.text())
def test_text_is_a_tag_exactly_when_the_grammar_says_so(text):
    valid = re.fullmatch(TAG, text) is not None
    try:
        assert parse_tag(text) == text
    except TagInvalid:
        assert not valid
    else:
        assert valid


@pytest.mark.parametrize("extra", ["\n", "\r\n", "\0", " ", "\u0661", "\uff11", "\u212a", "%"])
@given(names)
def test_a_name_with_a_foreign_character_at_its_end_is_refused(extra, name):
    with pytest.raises(NameInvalid):
        parse_repository_name(name + extra)


@pytest.mark.parametrize("extra", ["\n", "\r\n", "\0", " ", "\u0661", "\uff11", "\u212a", "/"])
@given(tags)
def test_a_tag_with_a_foreign_character_at_its_end_is_refused(extra, tag):
    with pytest.raises(TagInvalid):
        parse_tag(tag + extra)


@pytest.mark.parametrize(
    "text", ["", "/", "a/", "/a", "a//b", "A", "a/B", "-a", "a-", "a..b", "a___b", "a._b", ".", "..", "a/../b", "a/."]
)
def test_malformed_names_are_refused(text):
    with pytest.raises(NameInvalid):
        parse_repository_name(text)


@pytest.mark.parametrize("name", ["a", "0", "a/b", "a__b", "a_b", "a.b", "a-----b", "a/manifests", "blobs/uploads"])
def test_names_at_the_edges_of_the_grammar_are_accepted(name):
    assert parse_repository_name(name) == name


def test_the_longest_name_is_accepted_and_one_longer_is_not():
    assert parse_repository_name("a" * 255)
    with pytest.raises(NameInvalid):
        parse_repository_name("a" * 256)


def test_the_longest_tag_is_accepted_and_one_longer_is_not():
    assert parse_tag("v" * 128)
    with pytest.raises(TagInvalid):
        parse_tag("v" * 129)


@pytest.mark.parametrize("text", ["", ".", "-", ".hidden", "-flag", "a b", "a/b"])
def test_malformed_tags_are_refused(text):
    with pytest.raises(TagInvalid):
        parse_tag(text)


def test_a_name_that_makes_regular_expressions_backtrack_is_refused_at_once():
    with pytest.raises(NameInvalid):
        parse_repository_name("a-" * 127)


@given(st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_a_reference_with_a_colon_is_a_digest(data, algorithm):
    digest = digest_of(data, algorithm)
    assert parse_reference(str(digest)) == digest


@given(st.text())
def test_an_invalid_reference_is_refused_as_a_digest_or_a_tag(text):
    expected = DigestInvalid if ":" in text else TagInvalid
    with contextlib.suppress(expected):
        parse_reference(text)


@given(st.text(min_size=300))
def test_errors_quote_only_the_beginning_of_what_was_sent(text):
    with pytest.raises(NameInvalid) as refused:
        parse_repository_name(text)
    assert len(refused.value.facts["name"]) < 300
