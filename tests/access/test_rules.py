"""Rules know the users that documents name, and no others."""

from dataclasses import replace

import pytest

from simple_registry.access.caller import Identity
from simple_registry.access.issuers import KeysFromPem, TrustedIssuer
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, BindingPolicy, Refused
from simple_registry.access.roles import VERBS, Binding, BoundRole, Role, User
from simple_registry.access.rules import ADMINISTRATOR_ROLE, AccessRules, Declared, administrator_binding, rules_of

SCOPES = ["", "a", "a/b:v1"]


def test_empty_rules_have_no_users_and_allow_nothing():
    rules = AccessRules()
    assert rules.anonymous is None
    assert rules.identity("admin") is None
    for name in ("admin", "anonymous", ""):
        for resource in Resource:
            assert isinstance(rules.policy.decide(Identity(name), Permission("GET", resource, "")), Refused)


def test_a_user_has_the_groups_of_its_document():
    rules = AccessRules(users={"ada": User("ada", frozenset({"devs"}))})
    assert rules.identity("ada") == Identity("ada", frozenset({"devs"}))
    assert rules.identity("Ada") is None


def test_anonymous_access_is_a_user_of_that_name():
    rules = AccessRules(users={"anonymous": User("anonymous", frozenset({"public"}))})
    assert rules.anonymous == Identity("anonymous", frozenset({"public"}))


@pytest.mark.parametrize("scope", SCOPES)
def test_the_administrator_of_the_flags_may_do_everything_and_other_users_nothing(scope):
    policy = BindingPolicy([administrator_binding("root")])
    for verb in VERBS:
        for resource in Resource:
            permission = Permission(verb, resource, scope)
            assert isinstance(policy.decide(Identity("root"), permission), Allowed)
            for other in (Identity("Root"), Identity("root "), Identity("eve", frozenset({"root"}))):
                assert isinstance(policy.decide(other, permission), Refused)


def test_the_administrator_is_the_one_of_the_flags_and_no_user_with_the_same_binding():
    like = Role(ADMINISTRATOR_ROLE.name, ADMINISTRATOR_ROLE.resources, ADMINISTRATOR_ROLE.verbs)
    impostor = Binding(BoundRole("-adminname eve", like, ()), frozenset({"eve"}), frozenset())
    assert rules_of(Declared(bindings=[impostor])).administrator is None
    assert rules_of(Declared(bindings=[impostor], administrator="root")).administrator == "root"


def test_names_of_people_are_kept_from_issuers():
    rules = AccessRules(users={"root": User("root"), "ci-ada": User("ci-ada")}, administrator="root")
    mapped = TrustedIssuer("people", "https://people.example", ("registry",), KeysFromPem(()))
    prefixed = replace(mapped, user_prefix="ci-")
    assert rules.keeps_from(mapped, "root")
    assert rules.keeps_from(prefixed, "root")
    assert rules.keeps_from(prefixed, "ci-ada")
    assert not rules.keeps_from(mapped, "ci-ada")
    assert not rules.keeps_from(prefixed, "ci-bot")


def test_rules_know_the_names_of_users_and_those_that_an_issuer_may_give():
    issuer = TrustedIssuer("ci", "https://ci.example", ("registry",), KeysFromPem(()), user_prefix="ci:")
    rules = AccessRules(users={"ada": User("ada", frozenset())}, issuers=(issuer, replace(issuer, user_prefix="")))
    assert [rules.knows(name) for name in ("ada", "ci:deploy", "bob", "anonymous", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]
