from simple_registry.access.comparison import compare, example_scopes, words
from simple_registry.access.permission import Resource
from simple_registry.access.roles import User
from simple_registry.access.rules import Declared
from support.access import ADMINS, READONLY, READWRITE, binding

SCOPES = ["team/app", "team/app:v1", "library/x", "library/x:1"]


def declared(*bindings, **users):
    known = {name: User(name, frozenset(groups.split())) for name, groups in users.items()}
    return Declared(users=known, bindings=bindings)


def told(old, new, scopes=SCOPES):
    return [
        (each.kind, each.name, "+" if change.gained else "-", words(change.rights), list(change.scopes))
        for each in compare(old, new, scopes)
        for change in each.changes
    ]


def test_nothing_changes_between_equals():
    rules = declared(binding("@team", READWRITE, "^team/"), alice="team")
    assert told(rules, rules) == []


def test_a_wider_role_gives_rights_to_users_and_groups():
    old = declared(binding("@team", READONLY, "^team/"), alice="team")
    new = declared(binding("@team", READWRITE, "^team/"), alice="team")
    assert told(old, new) == [
        (kind, name, "+", words_, scopes)
        for kind, name in (("User", "alice"), ("Group", "team"))
        for words_, scopes in (("push blobs manifests", ["team/app"]), ("push manifests", ["team/app:v1"]))
    ]


def test_a_removed_user_loses_all_it_had():
    old = declared(binding("@public", READONLY, "^$", "^library/"), anonymous="public")
    assert told(old, declared(binding("@public", READONLY, "^$", "^library/"))) == [
        ("User", "anonymous", "-", "pull catalog", [""]),
        ("User", "anonymous", "-", "pull blobs manifests tags referrers", ["library/x"]),
        ("User", "anonymous", "-", "pull manifests", ["library/x:1"]),
    ]


def test_external_users_are_compared():
    new = declared(binding("ci:bob", READONLY, "^team/app$"))
    assert told(declared(), new) == [("User", "ci:bob", "+", "pull blobs manifests tags referrers", ["team/app"])]


def test_gains_are_listed_before_losses():
    old = declared(binding("@team", ADMINS, "^team/app$"), alice="")
    new = declared(binding("@team", READONLY, "^library/x$"), alice="")
    assert [(sign, scopes) for _, _, sign, _, scopes in told(old, new)] == [("+", ["library/x"]), ("-", ["team/app"])]


def test_rights_are_written_in_words():
    assert words(frozenset({("GET", Resource.BLOBS), ("HEAD", Resource.BLOBS)})) == "pull blobs"
    assert words(frozenset({("GET", Resource.BLOBS)})) == "GET blobs"
    assert words(frozenset({("DELETE", Resource.MANIFESTS), ("PUT", Resource.MANIFESTS)})) == "push delete manifests"
    assert words(frozenset({("GET", Resource.CATALOG), ("POST", Resource.BLOBS)})) == "pull catalog; POST blobs"


def test_patterns_give_scopes_to_compare_where_no_registry_does():
    rules = declared(binding("alice", READONLY, "^$", "^team/app(:v.+)?$", "^lib/[^/]+$"))
    scopes = example_scopes(rules)
    assert {"team/app", "team/app:latest", "lib/example", "lib/example:latest"} < set(scopes)
    assert any(scope.startswith("team/app:v") for scope in scopes)
    assert scopes == sorted(set(scopes))
