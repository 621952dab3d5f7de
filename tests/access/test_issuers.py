"""Claims become identities, and no claim can reach further than its template."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.caller import Identity
from simple_registry.access.issuers import (
    FILLED_CAPACITY,
    ClaimsInvalid,
    TemplateBinding,
    fill_template,
    template_claims,
)
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.scopes import CLIENT_MEMORY, ScopePattern
from support.access import READWRITE, role
from support.issuing import trusted

utf8 = st.text(st.characters(codec="utf-8"), max_size=20)
WRITE = role(READWRITE)


def bound(*scopes):
    return trusted(bindings=(TemplateBinding(WRITE, scopes),))


def test_a_subject_becomes_a_user_below_the_prefix():
    assert trusted().identity({"sub": "repo:a/b"}) == Identity("ci:repo:a/b", issuer="ci")
    assert trusted(user_claim="login").identity({"login": "ada", "sub": "x"}).name == "ci:ada"


@pytest.mark.parametrize("value", [None, "", 1.5, [], {}, ["a"], "a b", "a\n", "a\x00b", "a\x7f", "x" * 256])
def test_an_invalid_subject_is_refused(value):
    with pytest.raises(ClaimsInvalid):
        trusted().identity({"sub": value})
    with pytest.raises(ClaimsInvalid):
        trusted().identity({})


def test_no_subject_becomes_anonymous():
    with pytest.raises(ClaimsInvalid):
        trusted(user_prefix="").identity({"sub": "anonymous"})
    with pytest.raises(ClaimsInvalid):
        trusted(user_prefix="anony").identity({"sub": "mous"})


def test_groups_come_from_their_claim_and_from_documents():
    issuer = trusted(groups_claim="groups")
    assert issuer.identity({"sub": "a", "groups": ["x", 7, "", None, "y"]}).groups == {"x", "y"}
    assert issuer.identity({"sub": "a", "groups": "x"}, frozenset({"known"})).groups == {"x", "known"}
    assert issuer.identity({"sub": "a"}).groups == frozenset()
    assert trusted().identity({"sub": "a", "groups": ["admins"]}).groups == frozenset()


def test_conditions_have_to_match_wholly_and_all_of_them():
    issuer = trusted(conditions=(("repository", ScopePattern("acme/.*")), ("protected", ScopePattern("true"))))
    assert issuer.identity({"sub": "a", "repository": "acme/x", "protected": True})
    for claims in (
        {"repository": "acme/x"},
        {"repository": "evil/acme/x", "protected": True},
        {"repository": "acme/x\nevil", "protected": True},
        {"repository": "acme/x", "protected": False},
        {"repository": ["acme/x"], "protected": True},
        {"repository": None, "protected": True},
        {},
    ):
        with pytest.raises(ClaimsInvalid) as refusal:
            issuer.identity({"sub": "a", **claims})
        assert "evil" not in str(refusal.value)


def test_a_template_is_filled_for_each_binding():
    identity = bound("^ci/{owner}/.+$", "^shared/{owner}(:.+)?$").identity({"sub": "a", "owner": "acme"})
    (one,) = identity.bindings
    assert [scope.text for scope in one.scopes] == ["^ci/acme/.+$", "^shared/acme(:.+)?$"]
    assert one.allows(Permission("PUT", Resource.MANIFESTS, "ci/acme/app:v1"))
    assert not one.allows(Permission("PUT", Resource.MANIFESTS, "ci/acme2/app:v1"))


@pytest.mark.parametrize("value", [None, "", [], ["acme"], {}, 1.5])
def test_a_claim_without_text_takes_its_binding_away(value):
    assert bound("^ci/{owner}/.+$").identity({"sub": "a", "owner": value}).bindings == ()
    assert bound("^ci/{owner}/.+$").identity({"sub": "a"}).bindings == ()


def test_a_missing_claim_takes_only_its_own_scope_away():
    identity = bound("^ci/{owner}/.+$", "^{team}$").identity({"sub": "a", "owner": "acme"})
    assert [scope.text for scope in identity.bindings[0].scopes] == ["^ci/acme/.+$"]


@given(utf8.filter(bool), utf8.filter(bool))
def test_a_claim_matches_itself_and_cannot_widen_a_pattern(value, other):
    pattern = ScopePattern(fill_template("^ci/{owner}/app$", {"owner": value}))
    assert pattern.matches_wholly(f"ci/{value}/app")
    assert pattern.matches(f"ci/{other}/app") == (value == other)


@pytest.mark.parametrize(
    "value", [".*", "a|b", "^", "$", "(", "[", "\\", "{owner}", "{other}", "a)|(b", "\\E.*", "(?i)a"]
)
def test_no_claim_is_read_as_a_pattern_or_a_template(value):
    filled = fill_template("^ci/{owner}/.+$", {"owner": value, "other": ".*"})
    assert ScopePattern(filled).matches(f"ci/{value}/x")
    assert not ScopePattern(filled).matches("ci/b/x")
    assert not ScopePattern(filled).matches("secret")


@pytest.mark.parametrize(
    ("template", "claims"),
    [
        ("^a{2,3}$", []),
        ("^a{2}$", []),
        ("^{owner}/{ref}$", ["owner", "ref"]),
        ("^{https://claims.example/team}$", ["https://claims.example/team"]),
        ("^{claims.example/team}$", ["claims.example/team"]),
    ],
)
def test_names_in_braces_are_claims_and_numbers_are_repetitions(template, claims):
    assert list(template_claims(template)) == claims


def test_numbers_and_truth_values_are_written_as_json_writes_them():
    assert fill_template("{id}-{flag}", {"id": 7, "flag": False}) == r"7-false"


def test_the_prefix_prevents_a_foreign_subject_from_being_a_user():
    assert trusted().identity({"sub": "admin"}).name == "ci:admin"


def pattern_of(repository, template="^{repository}/"):
    (binding,) = bound(template, "^always$").identity({"sub": "x", "repository": repository}).bindings
    return binding.scopes[0]


def test_a_filled_template_is_compiled_once():
    assert pattern_of("a") is pattern_of("a")
    assert pattern_of("a") != pattern_of("b")


def test_filled_templates_that_are_kept_are_bounded_by_what_they_may_take():
    first = pattern_of("first")
    for number in range(FILLED_CAPACITY // CLIENT_MEMORY):
        pattern_of(f"other {number}")
    assert pattern_of("first") is not first


def test_a_claim_that_makes_a_pattern_too_large_fills_nothing():
    assert pattern_of("x" * 900, "{repository}/").matches("x" * 900 + "/app")
    assert pattern_of("x" * 2500, "{repository}/").text == "^always$"
    assert pattern_of("x" * 400, template="^({repository}){9}/").text == "^always$"


def test_an_identity_names_its_issuer():
    assert trusted(name="ci").identity({"sub": "a"}).issuer == "ci"
