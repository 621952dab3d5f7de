"""The scope string of each kind of target; `test_routes.py` parses them from paths."""

import re

import pytest

from simple_registry.http.targets import (
    DigestTarget,
    IssuedTokenTarget,
    ManifestTarget,
    NoTarget,
    RepositoryTarget,
    SessionTarget,
    TagTarget,
    manifest_target,
    scope_of_target,
    tag_target,
)
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import ManifestUnknown, TagInvalid
from simple_registry.oci.names import RepositoryName, Tag

APP, DIGEST = RepositoryName("team/app"), digest_of(b"")


@pytest.mark.parametrize(
    ("target", "scope"),
    [
        (NoTarget(), ""),
        (IssuedTokenTarget("7"), ""),
        (RepositoryTarget(APP), "team/app"),
        (DigestTarget(APP, DIGEST), "team/app"),
        (SessionTarget(APP, "7"), "team/app"),
        (TagTarget(APP, Tag("v1")), "team/app:v1"),
        (ManifestTarget(APP, DIGEST), "team/app"),
        (ManifestTarget(APP, Tag("v1")), "team/app:v1"),
    ],
)
def test_only_a_tag_is_in_a_scope_of_its_own(target, scope):
    assert scope_of_target(target) == scope


def test_a_tag_that_breaks_the_grammar_is_invalid_in_a_push_and_unknown_otherwise():
    match = re.fullmatch("(?P<name>.+)/(?P<reference>.+)", "team/app/-v1")
    with pytest.raises(TagInvalid):
        manifest_target("PUT", match)
    with pytest.raises(ManifestUnknown):
        manifest_target("GET", match)


def test_a_tag_that_breaks_the_grammar_is_unknown():
    match = re.fullmatch("(?P<name>.+):(?P<tag>.+)", "team/app:-")
    with pytest.raises(ManifestUnknown):
        tag_target("GET", match)
