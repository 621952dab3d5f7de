"""A caller's limits apply together, and what proves it is shown nowhere."""

from hypothesis import given, strategies as st

from simple_registry.access.caller import ANONYMOUS, Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_limit, within
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.roles import METHODS

grants = st.sampled_from(
    ["repository:^a$:pull", "repository:^a:push", "repository:b:*", "repository:.*:pull,delete", "registry:catalog:*"]
)
limits = st.lists(grants, max_size=3).map(parse_limit)
permissions = st.builds(
    Permission, st.sampled_from(METHODS), st.sampled_from(list(Resource)), st.sampled_from(["", "a", "ab:v1", "b"])
)


@given(st.lists(limits, max_size=3), permissions)
def test_every_limit_has_to_leave_room(some, permission):
    caller = Caller(Identity("ada"), Proof(Source.PASSWORD), tuple(some))
    assert caller.limited_to(permission) == all(within(limit, permission) for limit in some)


@given(st.lists(limits, max_size=2), limits, permissions)
def test_a_further_limit_never_widens(some, further, permission):
    proof = Proof(Source.PASSWORD)
    narrow = Caller(Identity("ada"), proof, (*some, further))
    assert not narrow.limited_to(permission) or Caller(Identity("ada"), proof, tuple(some)).limited_to(permission)


def test_a_caller_does_not_show_its_proof():
    assert "s3cret" not in repr(Caller(Identity("ada"), Proof(Source.EXTERNAL, "s3cret")))


def test_identities_are_their_name_and_groups():
    assert Identity("ada") == Identity("ada", frozenset())
    assert Identity("ada") != Identity("ada", frozenset({"admins"}))
    assert len({Identity("ada"), Identity("ada"), Identity("bob")}) == 2


def test_a_caller_without_credentials_is_in_no_group():
    assert Identity("anonymous") == ANONYMOUS
    assert not ANONYMOUS.groups
