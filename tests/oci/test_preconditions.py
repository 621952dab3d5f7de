"""Preconditions, against a slow reading of RFC 9110, section 13.1."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet

ONE, TWO = digest_of(b"1"), digest_of(b"2")
digests = st.sampled_from([ONE, TWO])


@given(
    st.booleans(),
    st.none() | st.frozensets(digests),
    st.booleans(),
    st.frozensets(digests),
    st.none() | digests,
)
def test_every_condition_must_hold(exists, one_of, absent, none_of, current):
    if_match = (not exists or current is not None) and (one_of is None or current in one_of)
    if_none_match = (not absent or current is None) and current not in none_of
    assert Precondition(exists, one_of, absent, none_of).holds(current) is (if_match and if_none_match)


@pytest.mark.parametrize("current", [None, ONE])
def test_without_conditions_everything_may_be_changed(current):
    assert UNCONDITIONAL.holds(current)


def test_the_first_reference_that_fails_is_named():
    named = [(Tag("a"), ONE), (Tag("b"), TWO), (Tag("c"), None)]
    assert Precondition(one_of=frozenset({ONE})).unmet(named) == PreconditionUnmet(Tag("b"), TWO)
    assert Precondition(exists=True).unmet(named) == PreconditionUnmet(Tag("c"), None)
    assert UNCONDITIONAL.unmet(named) is None
