"""Limits of credentials: parsed as written, and never wider."""

import time

import pytest
from hypothesis import given, strategies as st

from simple_registry.access import scopes
from simple_registry.access.limits import (
    ACTIONS,
    MAX_CLIENT_LIMIT,
    GrantInvalid,
    narrowed,
    parse_client_limit,
    parse_exact_limit,
    parse_limit,
    parse_requested_scope,
    scope_text,
    within,
)
from simple_registry.access.permission import OF_REGISTRY, Permission, Resource
from simple_registry.access.roles import RUN, UNDO, VERBS
from simple_registry.access.scopes import escape

names = st.from_regex(r"[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?(/[a-z0-9]{1,6}){0,2}", fullmatch=True)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)
actions = st.lists(st.sampled_from([*ACTIONS, "*"]), unique=True)

REPOSITORY = [resource for resource in Resource if resource not in OF_REGISTRY]
ACTION_OF = {"GET": "pull", "HEAD": "pull", "POST": "push", "PUT": "push", "PATCH": "push", "DELETE": "delete"} | {
    verb: verb for verb in (*UNDO, RUN)
}


READERS = [parse_limit, parse_client_limit, parse_exact_limit]


def one(read, text):
    """Return the only grant of a limit."""
    (grant,) = read([text])
    return grant


def allowed(grant, scope):
    return {
        (verb, resource) for verb in VERBS for resource in Resource if grant.allows(Permission(verb, resource, scope))
    }


@given(names, tags, actions)
def test_an_exact_grant_covers_only_its_repository_and_tags(name, tag, words):
    grant = one(parse_exact_limit, f"repository:{name}:{','.join(words)}")
    given_actions = set(ACTIONS) if "*" in words else set(words)
    expected = {(verb, resource) for verb in VERBS for resource in REPOSITORY if ACTION_OF[verb] in given_actions}
    assert allowed(grant, name) == allowed(grant, f"{name}:{tag}") == expected
    for other in (f"{name}x", f"x{name}", f"{name}/x", f"x/{name}", f"{name}/x:{tag}", "", f"x:{name}"):
        if other.partition(":")[0] != name:
            assert allowed(grant, other) == set()


@given(st.text(max_size=20).filter(lambda text: "\n" not in text), names)
def test_an_exact_name_is_never_a_pattern(text, name):
    try:
        grant = one(parse_exact_limit, f"repository:{text}:pull")
    except GrantInvalid:
        return
    if name != text:
        assert not allowed(grant, name)


@pytest.mark.parametrize("read", [parse_limit, parse_client_limit])
def test_a_pattern_is_searched_as_scopes_are(read):
    grant = one(read, "repository:^team/app(:v.+)?$:pull")
    assert ("GET", Resource.MANIFESTS) in allowed(grant, "team/app:v1")
    assert allowed(grant, "team/app:latest") == set()


def test_the_catalog_is_a_grant_of_its_own():
    catalog = one(parse_exact_limit, "registry:catalog:*")
    assert {resource for _, resource in allowed(catalog, "")} == {Resource.CATALOG}
    assert allowed(one(parse_limit, "repository:.*:*"), "") == {
        (verb, resource) for verb in VERBS for resource in REPOSITORY
    }
    assert allowed(one(parse_exact_limit, "registry:other:*"), "") == set()


@pytest.mark.parametrize("resource", [Resource.METRICS, Resource.MAINTENANCE])
def test_metrics_and_maintenance_are_grants_of_their_own_and_no_pattern_of_repositories_reaches_them(resource):
    for read in READERS:
        granted = one(read, f"registry:{resource}:*")
        assert {found for _, found in allowed(granted, "")} == {resource}
    assert ("GET", resource) not in allowed(one(parse_limit, "repository:.*:*"), "")


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
def test_an_invalid_grant_is_refused(text):
    for read in (parse_limit, parse_client_limit):
        with pytest.raises(GrantInvalid):
            read([text])


@given(st.text())
def test_any_text_is_a_grant_or_refused_and_nothing_worse(text):
    for read in READERS:
        try:
            read([text])
        except GrantInvalid:
            continue


@given(st.text(max_size=5), st.text("abc:/,*.([", max_size=12))
def test_any_scope_that_is_asked_for_is_read_or_left_out(kind, rest):
    for text in (f"{kind}:{rest}", f"repository:{rest}", f"registry:{rest}:pull"):
        scope = parse_requested_scope(text)
        assert scope is None or parse_requested_scope(scope) == scope
        assert scope is None or parse_exact_limit([scope])


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:a/b:pull,push", "repository:a/b:pull,push"),
        ("repository:a/b:push,pull,push", "repository:a/b:pull,push"),
        ("repository:a/b:*", "repository:a/b:pull,push,delete,history,restore"),
        ("repository(plugin):a/b:pull", "repository:a/b:pull"),
        ("repository:a:pull,unknown,,push", "repository:a:pull,push"),
        ("registry:catalog:*", "registry:catalog:*"),
        ("registry:metrics:pull", "registry:metrics:*"),
        ("registry:maintenance:run", "registry:maintenance:*"),
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


@given(names, st.sampled_from(VERBS), st.sampled_from(REPOSITORY))
def test_a_token_with_the_scope_that_a_permission_needs_leaves_room_for_it(name, verb, resource):
    permission = Permission(verb, resource, name)
    scope = scope_text(permission)
    assert parse_requested_scope(scope) == scope
    assert within(parse_exact_limit([scope]), permission)


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
    limit = parse_exact_limit(["repository:a:pull", "repository:a:push", "registry:catalog:*"])
    assert narrowed(scope, limit) == left


def test_no_limit_leaves_room_for_all_and_an_empty_one_for_nothing():
    permission = Permission("GET", Resource.BLOBS, "a")
    assert within(None, permission)
    assert not within((), permission)
    assert not within(parse_exact_limit([]), permission)


@given(st.lists(st.tuples(names, actions), max_size=3), names)
def test_a_limit_is_the_sum_of_its_grants(grants, name):
    texts = [f"repository:{each}:{','.join(words)}" for each, words in grants]
    for verb in VERBS:
        permission = Permission(verb, Resource.BLOBS, name)
        expected = any(one(parse_exact_limit, text).allows(permission) for text in texts)
        assert within(parse_exact_limit(texts), permission) == expected


@given(names, tags, actions)
def test_a_name_is_what_the_pattern_of_it_and_its_tags_was(name, tag, words):
    exact = one(parse_exact_limit, f"repository:{name}:{','.join(words)}")
    pattern = one(parse_limit, f"repository:^{escape(name)}(:|$):{','.join(words)}")
    for scope in (name, f"{name}:{tag}", f"{name}x", f"{name}/x:{tag}", f"x/{name}", "", ":", f":{name}"):
        assert allowed(exact, scope) == allowed(pattern, scope)


def test_a_name_needs_no_pattern(monkeypatch):
    monkeypatch.setattr(scopes, "re2", None)
    (grant,) = parse_exact_limit(["repository:team/app:pull"])
    assert grant.allows(Permission("GET", Resource.BLOBS, "team/app"))


HEAVY = r"repository:(?i)(\pL|\pN){400}x:pull"


def test_a_heavy_pattern_is_right_for_documents_only():
    with pytest.raises(GrantInvalid, match="no valid pattern"):
        parse_client_limit([HEAVY])
    assert parse_limit([HEAVY])


def test_patterns_of_a_client_are_bounded_together():
    large = f"repository:{'x' * 450}$:pull"
    fitting = [large] * (MAX_CLIENT_LIMIT // 460)
    assert len(parse_client_limit(fitting)) == len(fitting)
    with pytest.raises(GrantInvalid, match="too large together"):
        parse_client_limit(fitting + [large] * 2)


def test_a_hundred_usual_patterns_are_within_the_budget():
    usual = [
        "^team/app(:|$)",
        "^team/app(:v.+)?$",
        "^team/[^/]+(:|$)",
        "^(team/app|team/other|lib/base)(:.+)?$",
        r"^team/[a-z0-9._-]+:v[0-9]+\.[0-9]+$",
    ]
    assert len(parse_client_limit([f"repository:{pattern}:pull,push" for pattern in usual * 20])) == 100


@pytest.mark.parametrize("pattern", [HEAVY, r"repository:(?i)" + r"\pL" * 150 + ":pull", r"repository:\PN:pull"])
def test_classes_of_unicode_are_refused_unread(pattern, monkeypatch):
    monkeypatch.setattr(scopes, "re2", None)
    with pytest.raises(GrantInvalid, match="names are ASCII"):
        parse_client_limit([pattern])


HOSTILE = ["(?:[a-z]{1,9}/?){51}:v$", "(.*a){20}.{20}z", "(a|b|ab|ba|aab){120}x", "(?:a?b?c?d?){120}x", "(a?){300}z"]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_the_time_of_a_decision_within_a_limit_is_bounded(pattern):
    size = parse_client_limit([f"repository:{pattern}:pull"])[0].pattern.size
    limit = parse_client_limit([f"repository:{pattern}:pull"] * (MAX_CLIENT_LIMIT // size))
    began = time.process_time()
    for number in range(10):
        assert not within(limit, Permission("GET", Resource.MANIFESTS, f"{'ab' * 127}:{'ab' * 63}{number}"))
    assert (time.process_time() - began) / 10 < 0.5  # 0.04 s on a quiet machine
