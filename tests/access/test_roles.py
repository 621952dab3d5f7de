"""Words of roles have exactly the documented meaning."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.permission import Permission, Resource
from simple_registry.access.roles import (
    METHODS,
    RESOURCE_WORDS,
    VERB_WORDS,
    BoundRole,
    Role,
    User,
    WordInvalid,
    parse_resources,
    parse_verbs,
)
from simple_registry.access.scopes import ScopePattern


@pytest.mark.parametrize(
    ("words", "methods"),
    [
        (["pull"], "GET HEAD"),
        (["push"], "POST PUT PATCH"),
        (["delete"], "DELETE"),
        (["*"], "GET HEAD POST PUT PATCH DELETE history restore run"),
        (["history"], "history"),
        (["RESTORE"], "restore"),
        (["Run"], "run"),
        (["GET"], "GET HEAD"),
        (["get"], "GET HEAD"),
        (["HEAD"], "HEAD"),
        (["Put", "PATCH"], "PUT PATCH"),
        (["pull", "push"], "GET HEAD POST PUT PATCH"),
        ([], ""),
    ],
)
def test_verbs_are_methods_or_words_for_several(words, methods):
    assert parse_verbs(words) == frozenset(methods.split())


def test_only_its_own_word_and_all_verbs_run_maintenance():
    assert {word for word in VERB_WORDS if "run" in parse_verbs([word])} == {"run", "*"}


def test_resources_are_named_or_all_of_them():
    assert parse_resources(["*"]) == frozenset(Resource)
    assert parse_resources(["Blobs", "tags"]) == {Resource.BLOBS, Resource.TAGS}


@pytest.mark.parametrize("word", ["", "gett", "OPTIONS", "TRACE", "pull,push", " get", "get\n", "blobs", "\u0131"])
def test_an_unknown_verb_is_refused_and_the_known_ones_are_named(word):
    with pytest.raises(WordInvalid, match="pull"):
        parse_verbs(["GET", word])


@pytest.mark.parametrize("word", ["", "blob", "images", "get", "**"])
def test_an_unknown_resource_is_refused_and_the_known_ones_are_named(word):
    with pytest.raises(WordInvalid, match="manifests"):
        parse_resources([word])


@given(st.lists(st.sampled_from(sorted(VERB_WORDS))), st.lists(st.sampled_from(sorted(VERB_WORDS))))
def test_verbs_add_up_and_never_take_away(some, others):
    assert parse_verbs(some + others) == parse_verbs(some) | parse_verbs(others)


@given(st.text())
def test_any_word_is_known_or_refused_and_nothing_worse(word):
    for parse, table in ((parse_verbs, VERB_WORDS), (parse_resources, RESOURCE_WORDS)):
        try:
            parse([word])
        except WordInvalid:
            assert word.lower() not in table
        else:
            assert word.lower() in table


def test_reading_manifests_covers_their_tags_and_referrers_but_not_their_blobs():
    readonly = Role("readonly", frozenset({Resource.MANIFESTS}), parse_verbs(["pull"]))
    covered = {(verb, each) for verb in METHODS for each in Resource if readonly.covers(verb, each)}
    assert covered == {
        (verb, each) for verb in ("GET", "HEAD") for each in (Resource.MANIFESTS, Resource.TAGS, Resource.REFERRERS)
    }


def test_reading_tags_covers_no_manifests():
    lister = Role("lister", frozenset({Resource.TAGS}), parse_verbs(["pull"]))
    assert lister.covers("GET", Resource.TAGS)
    assert not lister.covers("GET", Resource.MANIFESTS)
    assert not lister.covers("GET", Resource.REFERRERS)


def test_pushing_is_not_reading():
    pusher = Role("pusher", frozenset(Resource), parse_verbs(["push"]))
    assert not any(pusher.covers(verb, each) for verb in ("GET", "HEAD", "DELETE") for each in Resource)


def test_a_bound_role_needs_both_the_role_and_one_scope():
    bound = BoundRole(
        "b", Role("r", frozenset({Resource.BLOBS}), frozenset({"GET"})), (ScopePattern("^a$"), ScopePattern("^b$"))
    )
    assert bound.allows(Permission("GET", Resource.BLOBS, "b"))
    assert not bound.allows(Permission("GET", Resource.BLOBS, "c"))
    assert not bound.allows(Permission("PUT", Resource.BLOBS, "a"))


def test_a_bound_role_may_reach_below_what_one_of_its_scopes_may():
    scopes = (ScopePattern("^a/.+$"), ScopePattern("^b:v"))
    bound = BoundRole("b", Role("r", frozenset({Resource.BLOBS}), frozenset({"GET"})), scopes)
    assert [bound.may_reach_below(beginning) for beginning in ("a/x:", "b:", "c:")] == [True, True, False]


def test_a_user_does_not_show_its_hash():
    assert "secret" not in repr(User("ada", password_hash="secret"))
