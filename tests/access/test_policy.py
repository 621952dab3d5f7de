"""The policy of a registry without documents."""

import pytest

from simple_registry.access.identity import ANONYMOUS, Identity
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import AdministratorPolicy, Allowed, Refused

POLICY = AdministratorPolicy("admin")
PERMISSIONS = [Permission(verb, resource, "a") for verb in ("GET", "PUT", "DELETE") for resource in Resource]


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_the_administrator_may_do_everything(permission):
    assert POLICY.decide(Identity("admin"), permission) == Allowed("administrator admin")


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("identity", [ANONYMOUS, Identity("ada"), Identity("Admin"), Identity("admin "), Identity("")])
def test_nobody_else_may_do_anything_and_is_told_why(identity, permission):
    decision = POLICY.decide(identity, permission)
    assert isinstance(decision, Refused)
    assert permission.verb in decision.reason


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_membership_in_a_group_called_like_the_administrator_is_nothing(permission):
    assert isinstance(POLICY.decide(Identity("ada", frozenset({"admin"})), permission), Refused)
