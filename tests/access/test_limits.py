"""Limits of credentials: read as they are written, and never more than they say."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.limits import (
    ACTIONS,
    LONGEST_REMEMBERED,
    GrantInvalid,
    narrowed,
    parse_grant,
    parse_limit,
    parse_requested_scope,
    scope_text,
    within,
)
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.roles import METHODS

names = st.from_regex(r"[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?(/[a-z0-9]{1,6}){0,2}", fullmatch=True)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)
actions = st.lists(st.sampled_from([*ACTIONS, "*"]), unique=True)

REPOSITORY = [resource for resource in Resource if resource not in {Resource.CATALOG, Resource.METRICS}]
ACTION_OF = {"GET": "pull", "HEAD": "pull", "POST": "push", "PUT": "push", "PATCH": "push", "DELETE": "delete"}


def allowed(grant, scope):
    return {
        (verb, resource) for verb in METHODS for resource in Resource if grant.allows(Permission(verb, resource, scope))
    }


@given(names, tags, actions)
def test_an_exact_grant_gives_its_actions_on_its_repository_and_tags_alone(name, tag, words):
    grant = parse_grant(f"repository:{name}:{','.join(words)}", exact=True)
    given_actions = set(ACTIONS) if "*" in words else set(words)
    expected = {(verb, resource) for verb in METHODS for resource in REPOSITORY if ACTION_OF[verb] in given_actions}
    assert allowed(grant, name) == allowed(grant, f"{name}:{tag}") == expected
    for other in (f"{name}x", f"x{name}", f"{name}/x", f"x/{name}", f"{name}/x:{tag}", "", f"x:{name}"):
        if other.partition(":")[0] != name:
            assert allowed(grant, other) == set()


@given(st.text(max_size=20).filter(lambda text: "\n" not in text), names)
def test_an_exact_name_is_never_a_pattern(text, name):
    try:
        grant = parse_grant(f"repository:{text}:pull", exact=True)
    except GrantInvalid:
        return
    if name != text:
        assert not allowed(grant, name)


def test_a_pattern_is_searched_as_scopes_are():
    grant = parse_grant("repository:^team/app(:v.+)?$:pull", exact=False)
    assert ("GET", Resource.MANIFESTS) in allowed(grant, "team/app:v1")
    assert allowed(grant, "team/app:latest") == set()


def test_the_catalog_is_a_grant_of_its_own():
    catalog = parse_grant("registry:catalog:*", exact=True)
    assert {resource for _, resource in allowed(catalog, "")} == {Resource.CATALOG}
    assert allowed(parse_grant("repository:.*:*", exact=False), "") == {
        (verb, resource) for verb in METHODS for resource in REPOSITORY
    }
    assert allowed(parse_grant("registry:other:*", exact=True), "") == set()


def test_metrics_are_a_grant_of_their_own_and_no_pattern_of_repositories_reaches_them():
    for exact in (True, False):
        metrics = parse_grant("registry:metrics:*", exact=exact)
        assert {resource for _, resource in allowed(metrics, "")} == {Resource.METRICS}
    assert ("GET", Resource.METRICS) not in allowed(parse_grant("repository:.*:*", exact=False), "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "repository:a",
        "repository::pull",
        "repository:a:pull\n",
        "repository:a:PULL",
        "repository:a:read",
        "repository:a:pull push",
        "Repository:a:pull",
        "image:a:pull",
        "repository:(:pull",
        "repository:a\nb:pull",
    ],
)
def test_what_is_no_grant_is_refused(text):
    with pytest.raises(GrantInvalid):
        parse_grant(text, exact=False)


@given(st.text())
def test_any_text_is_a_grant_or_refused_and_nothing_worse(text):
    for exact in (True, False):
        try:
            parse_grant(text, exact=exact)
        except GrantInvalid:
            continue


@given(st.text(max_size=5), st.text("abc:/,*.([", max_size=12))
def test_any_scope_that_is_asked_for_is_read_or_left_out(kind, rest):
    for text in (f"{kind}:{rest}", f"repository:{rest}", f"registry:{rest}:pull"):
        scope = parse_requested_scope(text)
        assert scope is None or parse_requested_scope(scope) == scope
        assert scope is None or parse_limit([scope], exact=True)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:a/b:pull,push", "repository:a/b:pull,push"),
        ("repository:a/b:push,pull,push", "repository:a/b:pull,push"),
        ("repository:a/b:*", "repository:a/b:pull,push,delete"),
        ("repository(plugin):a/b:pull", "repository:a/b:pull"),
        ("repository:a:pull,unknown,,push", "repository:a:pull,push"),
        ("registry:catalog:*", "registry:catalog:*"),
        ("registry:metrics:pull", "registry:metrics:*"),
        ("registry:other:*", None),
        ("repository:host:5000/a:pull", None),
        ("repository:team/.*:pull", None),
        ("repository:a:", None),
        ("repository:a:unknown", None),
        ("image:a:pull", None),
        ("repository", None),
    ],
)
def test_a_requested_scope_is_read_as_clients_write_it(text, scope):
    assert parse_requested_scope(text) == scope


@given(names, st.sampled_from(METHODS), st.sampled_from(REPOSITORY))
def test_a_token_with_the_scope_that_a_permission_needs_leaves_room_for_it(name, verb, resource):
    permission = Permission(verb, resource, name)
    scope = scope_text(permission)
    assert parse_requested_scope(scope) == scope
    assert within(parse_limit([scope], exact=True), permission)


@pytest.mark.parametrize(
    ("permission", "scope"),
    [
        (Permission("GET", Resource.BLOBS, "a/b"), "repository:a/b:pull"),
        (Permission("HEAD", Resource.MANIFESTS, "a/b:v1"), "repository:a/b:pull"),
        (Permission("POST", Resource.BLOBS, "a/b"), "repository:a/b:pull,push"),
        (Permission("PUT", Resource.MANIFESTS, "a/b:v1"), "repository:a/b:pull,push"),
        (Permission("DELETE", Resource.MANIFESTS, "a/b"), "repository:a/b:delete"),
        (Permission("GET", Resource.CATALOG, ""), "registry:catalog:*"),
    ],
)
def test_a_scope_names_repository_and_actions(permission, scope):
    assert scope_text(permission) == scope


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("repository:a:pull", "repository:a:pull"),
        ("repository:a:pull,push,delete", "repository:a:pull,push"),
        ("repository:a:delete", None),
        ("repository:b:pull", None),
        ("repository:a/b:pull", None),
        ("registry:catalog:*", "registry:catalog:*"),
        ("registry:metrics:*", None),
    ],
)
def test_a_limit_of_names_narrows_a_scope(scope, left):
    limit = parse_limit(["repository:a:pull", "repository:a:push", "registry:catalog:*"], exact=True)
    assert narrowed(scope, limit) == left


def test_no_limit_leaves_room_for_all_and_an_empty_one_for_nothing():
    permission = Permission("GET", Resource.BLOBS, "a")
    assert within(None, permission)
    assert not within((), permission)
    assert not within(parse_limit([], exact=True), permission)


@given(st.lists(st.tuples(names, actions), max_size=3), names)
def test_a_limit_is_the_sum_of_its_grants(grants, name):
    texts = [f"repository:{each}:{','.join(words)}" for each, words in grants]
    for verb in METHODS:
        permission = Permission(verb, Resource.BLOBS, name)
        expected = any(parse_grant(text, exact=True).allows(permission) for text in texts)
        assert within(parse_limit(texts, exact=True), permission) == expected


def test_a_limit_is_compiled_once_unless_it_is_long():
    short, long = ["repository:^team/:pull"], [f"repository:^{'x' * LONGEST_REMEMBERED}:pull"]
    assert parse_limit(short, exact=False) is parse_limit(tuple(short), exact=False)
    assert parse_limit(short, exact=True) != parse_limit(short, exact=False)
    assert parse_limit(long, exact=False) is not parse_limit(long, exact=False)


def test_a_wrong_limit_is_refused_every_time():
    for _ in range(2):
        with pytest.raises(GrantInvalid):
            parse_limit(["repository:(:pull"], exact=False)
