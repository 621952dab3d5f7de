"""The permission that a call needs, and the string that scope patterns search."""

import pytest

from simple_registry.access.permission import CATALOG_SCOPE, Permission, Resource, scope_of, scopes_of_tags
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import parse_repository_name, parse_tag

REPOSITORY = parse_repository_name("team/app")


@pytest.mark.parametrize(
    ("reference", "scope"),
    [
        (None, "team/app"),
        (digest_of(b""), "team/app"),
        (parse_tag("v1"), "team/app:v1"),
        (parse_tag("_"), "team/app:_"),
    ],
)
def test_a_tag_is_part_of_the_scope_and_a_digest_is_not(reference, scope):
    assert scope_of(REPOSITORY, reference) == scope


def test_the_scopes_of_tags_begin_with_their_repository():
    assert scope_of(parse_repository_name("a/b"), parse_tag("v1")).startswith(
        scopes_of_tags(parse_repository_name("a/b"))
    )


def test_the_catalog_belongs_to_no_repository():
    assert CATALOG_SCOPE == ""


def test_resources_are_the_words_that_roles_use():
    of_registry = {"catalog", "metrics", "maintenance"}
    assert {str(resource) for resource in Resource} == of_registry | {"blobs", "manifests", "tags", "referrers"}


def test_permissions_are_values():
    assert Permission("GET", Resource.BLOBS, "a") == Permission("GET", Resource("blobs"), "a")
