"""Who is calling, as a value."""

from simple_registry.access.identity import ANONYMOUS, Identity


def test_identities_are_their_name_and_groups():
    assert Identity("ada") == Identity("ada", frozenset())
    assert Identity("ada") != Identity("ada", frozenset({"admins"}))
    assert len({Identity("ada"), Identity("ada"), Identity("bob")}) == 2


def test_who_sends_no_credentials_is_in_no_group():
    assert Identity("anonymous") == ANONYMOUS
    assert not ANONYMOUS.groups
