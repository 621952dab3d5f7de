from dataclasses import replace

import pytest

from simple_registry.access.issuers import KeysFromPem, TemplateBinding, TrustedIssuer
from simple_registry.access.lint import lint, lint_tokens
from simple_registry.access.permission import Resource
from simple_registry.access.quotas import Per, Quota
from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.roles import Binding, BoundRole, Role, User
from simple_registry.access.rules import Declared
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import TagProtection
from simple_registry.access.token_secrets import StaticToken, token_hash

NOW = 1_800_000_000.0
READER = Role("reader", frozenset({Resource.MANIFESTS, Resource.BLOBS}), frozenset({"GET", "HEAD"}))
BOB = User("bob", frozenset({"team"}), "$2b$14$...")
ISSUER = TrustedIssuer("ci", "https://ci", ("r",), KeysFromPem(()), user_prefix="ci:")


def binding(*scopes, role=READER, users=(), groups=("team",)):
    bound = BoundRole("team-reads", role, tuple(ScopePattern(scope) for scope in scopes))
    return Binding(bound, frozenset(users), frozenset(groups))


def declared(*scopes, **changes):
    made = Declared(users={"bob": BOB}, roles={"reader": READER}, bindings=[binding(*(scopes or ["^.*$"]))])
    return replace(made, **changes)


def texts(given):
    return [(one.kind, one.name, one.at, one.text) for one in lint(given, NOW)]


def test_unambiguous_documents_cause_no_warning():
    assert texts(declared()) == []
    assert texts(Declared()) == []


@pytest.mark.parametrize(
    "scopes",
    [
        ["^team/app(:.+)?$"],
        ["^team/app"],
        ["^team/[^/]+$"],
        ["^team/app:v.+$"],
        ["^team/app$", "^team/app:v[0-9]+$"],
        ["^$"],
        ["^library/.*$"],
        ["team"],
        ["^(a|b)(:latest)?$"],
    ],
)
def test_patterns_that_reach_tags_are_fine(scopes):
    assert texts(declared(*scopes)) == []


@pytest.mark.parametrize(
    ("pattern", "example", "better"),
    [
        ("^team/app$", "team/app", "^team/app(:.+)?$"),
        ("^(team/a|team/b)$", "team/a", "^(team/a|team/b)(:.+)?$"),
        ("^team/[a-z]+$", "team/example", "^team/[a-z]+(:.+)?$"),
    ],
)
def test_a_pattern_that_matches_no_tag_gets_a_warning_with_a_better_one(pattern, example, better):
    (warning,) = texts(declared("^$", pattern))
    assert warning == (
        "RoleBinding",
        "team-reads",
        ("scopes", 1),
        f"{pattern!r} matches {example}, but no tag of it; write {better!r}",
    )


def test_a_role_without_manifests_needs_no_tags():
    blobs = Role("reader", frozenset({Resource.BLOBS}), frozenset({"GET"}))
    assert texts(declared(bindings=[binding("^team/app$", role=blobs)])) == []


def test_roles_without_a_binding_get_warnings():
    other = Role("other", frozenset({Resource.BLOBS}), frozenset({"GET"}))
    both = {"reader": READER, "other": other}
    assert texts(declared(roles=both)) == [("Role", "other", (), "is in no RoleBinding and no TokenIssuer")]
    issuer = replace(ISSUER, bindings=(TemplateBinding(other, ("^ci/",)),))
    assert texts(declared(roles=both, issuers=(issuer,))) == []


def test_groups_without_members_get_warnings_unless_tokens_may_bring_members():
    both = [binding("^.*$", groups=("team", "taem"))]
    (warning,) = texts(declared(bindings=both))
    assert warning[:3] == ("RoleBinding", "team-reads", ("subjects",))
    assert "'taem'" in warning[3]
    assert texts(declared(bindings=both, issuers=(ISSUER,))) != []
    assert texts(declared(bindings=both, issuers=(replace(ISSUER, groups_claim="groups"),))) == []


def test_hashes_that_make_every_login_slow_get_warnings():
    slow = replace(BOB, password_hash="$2b$15$...")
    ((kind, name, at, text),) = texts(declared(users={"bob": slow}))
    assert (kind, name, at) == ("User", "bob", ("passwordHash",))
    assert "cost 15" in text


def test_users_without_login_or_rights_get_warnings():
    eve, anonymous = User("eve"), User("anonymous", frozenset({"team"}))
    found = texts(declared(users={"bob": BOB, "eve": eve, "anonymous": anonymous}))
    assert [(name, text.split(":")[0].split(";")[0]) for _, name, _, text in found] == [
        ("eve", "may do nothing"),
        ("eve", "has no passwordHash and no Token"),
    ]
    token = StaticToken("t", "eve", token_hash("x"), NOW + 1)
    assert len(texts(declared(users={"bob": BOB, "eve": eve}, tokens=[token]))) == 1
    assert len(texts(declared(users={"bob": BOB, "eve": eve}, issuers=(replace(ISSUER, user_prefix=""),)))) == 1


def test_tokens_that_never_expire_have_expired_or_are_in_clear_get_warnings():
    tokens = [
        StaticToken("fine", "bob", token_hash("1"), NOW + 1),
        StaticToken("ever", "bob", token_hash("2")),
        StaticToken("late", "bob", token_hash("3"), NOW),
        StaticToken("open", "bob", token_hash("4"), NOW + 1),
    ]
    given = declared(tokens=tokens, in_clear=frozenset({"open"}))
    assert [(one.name, one.at, one.text.split(";")[0]) for one in lint_tokens(given, NOW)] == [
        ("ever", (), "never expires"),
        ("late", ("expiresAt",), "expired at 2027-01-15T08:00:00Z"),
        ("open", ("value",), "holds its value in clear"),
    ]
    assert list(lint_tokens(given, NOW)) == lint(given, NOW)


def test_a_limit_of_tags_per_user_gets_a_warning():
    limits = {"bytes": 5, "tags": 5}
    found = texts(declared(quotas=(Quota("a", limits, Per.USER), Quota("b", limits))))
    assert [each[:3] for each in found] == [("Quota", "a", ("limits", "tags"))]


def retention(*scopes):
    return Retention("builds", tuple(ScopePattern(scope) for scope in scopes), (KeepRule(newest=1),))


def protection(*scopes, **how):
    return TagProtection("releases", tuple(ScopePattern(scope) for scope in scopes), **how)


def test_rules_of_tags_that_reach_some_are_fine():
    assert texts(declared(retentions=(retention("^team/", "^other/app:v"),), protections=(protection("^a:v"),))) == []


def test_rules_of_tags_that_reach_no_tag_have_a_warning():
    better = "'^team/app$' matches team/app, but no tag of it; write '^team/app(:.+)?$'"
    found = texts(declared(retentions=(retention("^team/app$"),), protections=(protection("^team/app$"),)))
    assert found == [
        ("Retention", "builds", ("scopes", 0), better),
        ("TagProtection", "releases", ("scopes", 0), better),
    ]


def test_a_protection_that_allows_everything_has_a_warning():
    (found,) = texts(declared(protections=(protection("^a:v", immutable=False, deletable=True),)))
    assert found == ("TagProtection", "releases", (), "protects nothing: not immutable, and deletable")
