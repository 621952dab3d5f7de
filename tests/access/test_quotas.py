"""Which pushes a quota limits."""

import pytest

from simple_registry.access.caller import Identity
from simple_registry.access.quotas import Quota
from simple_registry.access.scopes import ScopePattern
from simple_registry.oci.names import RepositoryName

ADA = Identity("ada", frozenset({"team"}))
APP = RepositoryName("team/app")


@pytest.mark.parametrize(
    ("values", "applies"),
    [
        ({}, True),
        ({"scopes": ("^team/",)}, True),
        ({"scopes": ("^other/", "app$")}, True),
        ({"scopes": ("^other/",)}, False),
        ({"users": {"ada"}}, True),
        ({"users": {"bob"}}, False),
        ({"users": {"bob"}, "groups": {"team"}}, True),
        ({"groups": {"other"}}, False),
        ({"scopes": ("^team/",), "users": {"bob"}}, False),
        ({"scopes": ("^other/",), "users": {"ada"}}, False),
    ],
)
def test_a_quota_limits_pushes_within_its_scopes_by_its_subjects(values, applies):
    quota = Quota(
        "a",
        {"bytes": 1},
        scopes=tuple(ScopePattern(text) for text in values.get("scopes", ())),
        users=frozenset(values.get("users", ())),
        groups=frozenset(values.get("groups", ())),
    )
    assert quota.applies(ADA, APP) is applies
