"""The operations on tags."""

import asyncio

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import ManifestUnknown, NameUnknown
from simple_registry.oci.names import parse_repository_name, parse_tag
from simple_registry.operations.tags import Tags
from support.actors import ACTOR
from support.documents import push_image, push_tags

A = parse_repository_name("a")


@pytest.fixture
def tags(front):
    return Tags(front.kept.stores.rows.tags, front.kept.stores.rows.repositories)


def everything(tags, **how):
    return asyncio.run(tags.page(A, **{"last": None, "limit": 100, "visible": lambda _: True} | how))


def test_a_page_holds_visible_tags_in_order(front, tags):
    push_tags(front, "a", ["b", "a", "c", "B"])
    assert everything(tags).items == ("B", "a", "b", "c")
    assert everything(tags, visible=lambda tag: tag != "a", limit=2).items == ("B", "b")
    assert everything(tags, limit=2).more


def test_a_repository_that_does_not_exist_has_no_tags(front, tags):
    push_image(front, "a/b", "v1")
    with pytest.raises(NameUnknown):
        everything(tags)


def test_a_repository_of_which_everything_was_deleted_has_no_list_as_it_is_not_in_the_catalog(front, tags):
    data = push_image(front, "a", "v1")
    front.delete(f"/v2/a/manifests/{digest_of(data)}")
    with pytest.raises(NameUnknown):
        everything(tags)


def test_deleting_a_tag_leaves_the_others(front, tags):
    push_tags(front, "a", ["x", "y"])
    front.run(tags.delete(A, parse_tag("x"), actor=ACTOR))
    assert everything(tags).items == ("y",)
    with front.unchanged(), pytest.raises(ManifestUnknown):
        front.run(tags.delete(A, parse_tag("x"), actor=ACTOR))


def test_any_visible_tag_is_found_among_many(front, tags):
    push_tags(front, "a", [f"t{number:03}" for number in range(30)] + ["z"])
    asked = []
    assert asyncio.run(tags.any(A, lambda tag: asked.append(tag) or tag == "z"))
    assert len(asked) == 31
    assert not asyncio.run(tags.any(A, lambda _tag: False))


def test_the_tags_of_a_manifest_are_those_that_point_at_it(front, tags):
    data = push_image(front, "a", "v1")
    front.push_manifest("a", "v0", data)
    push_image(front, "a", "other", b"other")
    assert front.run(tags.of_manifest(A, digest_of(data))) == ["v0", "v1"]
