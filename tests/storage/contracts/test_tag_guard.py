"""A store asks in its transaction whether tags are protected, and changes nothing if one is."""

import pytest

from simple_registry.oci.names import Tag
from simple_registry.oci.preconditions import Precondition, PreconditionUnmet
from simple_registry.storage.records import (
    ContentRecord,
    DescribedPart,
    ManifestRemoved,
    ManifestStored,
    Part,
    Place,
    TagAbsent,
    TagProtected,
    TagRemoved,
)
from storage.support import REPOSITORY, blob_of, manifest_of, mark_damaged, run
from support.actors import ACTOR

OLD, NEW = manifest_of(b"old"), manifest_of(b"new")
V1, MAIN = Tag("v1"), Tag("main")
REFUSED = TagProtected(V1, "releases")


class Guard:
    """Protects the tag v1."""

    def from_moving(self, tag):
        return "releases" if tag == V1 else None

    from_deletion = from_moving


@pytest.fixture
def rows(stores):
    """Rows in which both tags point at the old manifest."""
    run(put(stores.rows, OLD, V1, MAIN, guard=None))
    return stores.rows


async def put(rows, manifest, *tags, guard=Guard(), parts=(), **how):  # noqa: B008 (it has no state)
    return await rows.manifests.put_manifest(
        REPOSITORY,
        manifest,
        tags=tags,
        parts=parts,
        actor=ACTOR,
        guard=guard,
        **({"place": Place(""), "removals": 0} | how),
    )


def target(rows, tag=V1):
    found = run(rows.manifests.find_tagged(REPOSITORY, tag))
    return None if found is None else found.digest


def test_a_protected_tag_does_not_move_nor_do_its_neighbours(rows):
    assert run(put(rows, NEW, MAIN, V1)) == REFUSED
    assert target(rows) == target(rows, MAIN) == OLD.digest
    assert run(rows.manifests.find_manifest(REPOSITORY, NEW.digest)) is None
    assert run(rows.garbage.find_condemned(NEW.digest)) is not None  # its bytes, which no row needs


def test_a_push_that_leaves_the_tag_where_it_is_is_fine(rows):
    assert isinstance(run(put(rows, OLD, V1)), ManifestStored)


def test_a_new_tag_and_a_push_without_tag_are_fine(rows):
    assert run(rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR)) == TagRemoved(OLD.digest)
    assert isinstance(run(put(rows, NEW, V1)), ManifestStored)
    assert isinstance(run(put(rows, OLD)), ManifestStored)


def test_a_damaged_target_is_no_reason_to_move(rows):
    assert run(mark_damaged(rows, ContentRecord(OLD.digest, OLD.size)))
    assert run(put(rows, NEW, V1)) == REFUSED
    assert isinstance(run(put(rows, OLD, V1)), ManifestStored)


def test_the_precondition_comes_before_and_missing_parts_after(rows):
    absent = Precondition(absent=True)
    assert isinstance(run(put(rows, NEW, V1, precondition=absent)), PreconditionUnmet)
    missing = DescribedPart(Part.BLOB, blob_of(b"missing"))
    assert run(put(rows, manifest_of(b"another"), V1, parts=[missing])) == REFUSED


def test_a_protected_tag_is_not_removed(rows):
    async def remove(tag, **how):
        return await rows.tags.remove_tag(REPOSITORY, tag, actor=ACTOR, guard=Guard(), **how)

    assert run(remove(V1)) == REFUSED
    assert isinstance(run(remove(V1, precondition=Precondition(one_of=frozenset({NEW.digest})))), PreconditionUnmet)
    assert run(remove(Tag("none"))) == TagAbsent()
    assert run(remove(MAIN)) == TagRemoved(OLD.digest)
    assert target(rows) == OLD.digest


def test_the_manifest_of_a_protected_tag_is_not_removed(rows):
    async def remove(*tags):
        return await rows.manifests.remove_manifest(REPOSITORY, OLD.digest, tags=tags, actor=ACTOR, guard=Guard())

    assert run(remove(MAIN, V1)) == REFUSED
    assert target(rows) == target(rows, MAIN) == OLD.digest
    run(rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR))
    assert run(remove(MAIN)) == ManifestRemoved()
