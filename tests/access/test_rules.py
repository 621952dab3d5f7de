"""Rules know who exists, and nobody exists without being named."""

import pytest

from simple_registry.access.identity import Identity
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, BindingPolicy, Refused
from simple_registry.access.roles import METHODS, User
from simple_registry.access.rules import AccessRules, administrator_binding

SCOPES = ["", "a", "a/b:v1"]


def test_no_rules_know_nobody_and_allow_nothing():
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
def test_the_administrator_of_the_flags_may_do_everything_and_nobody_else_anything(scope):
    policy = BindingPolicy([administrator_binding("root")])
    for verb in METHODS:
        for resource in Resource:
            permission = Permission(verb, resource, scope)
            assert isinstance(policy.decide(Identity("root"), permission), Allowed)
            for other in (Identity("Root"), Identity("root "), Identity("eve", frozenset({"root"}))):
                assert isinstance(policy.decide(other, permission), Refused)
