"""Whether a change exceeds an allowance."""

import pytest

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.quotas import Allowance, Measure, OfRepository, OverQuota, exceeded

ACCOUNT = OfRepository(RepositoryName("a"))


def amounts(size=0, tags=0, manifests=0):
    return {Measure.BYTES: size, Measure.TAGS: tags, Measure.MANIFESTS: manifests}


@pytest.mark.parametrize(
    ("limits", "before", "after", "over"),
    [
        ({Measure.BYTES: 10}, amounts(4), amounts(10), None),
        ({Measure.BYTES: 10}, amounts(4), amounts(11), OverQuota("team", Measure.BYTES, 10, 4, 7)),
        ({Measure.BYTES: 10}, amounts(12), amounts(12), None),
        ({Measure.BYTES: 10}, amounts(12), amounts(11), None),
        ({Measure.TAGS: 1}, amounts(1, 1), amounts(9, 2), OverQuota("team", Measure.TAGS, 1, 1, 1)),
        ({Measure.MANIFESTS: 0}, amounts(), amounts(9, 9), None),
        ({Measure.MANIFESTS: 0}, amounts(), amounts(0, 0, 1), OverQuota("team", Measure.MANIFESTS, 0, 0, 1)),
        ({}, amounts(), amounts(9, 9, 9), None),
    ],
)
def test_only_what_adds_to_an_account_can_exceed_its_limits(limits, before, after, over):
    assert exceeded(Allowance("team", ACCOUNT, limits), before, after) == over
