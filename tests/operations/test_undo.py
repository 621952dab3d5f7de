"""Undoing: tags go back, and what was deleted comes back, or the reason why not is given and nothing changes."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import Denied, NameUnknown, NotRestorable, PreconditionFailed, TagIsProtected
from simple_registry.oci.names import Tag, parse_repository_name
from simple_registry.oci.preconditions import Precondition
from simple_registry.operations.undo import RepositoryDeleted, Restored, RolledBack, Undo
from support.actors import ACTOR
from support.documents import push_image

A = parse_repository_name("a")
V1, V2 = Tag("v1"), Tag("v2")
GRACE = 24 * 3600


class Guard:
    """Protects every tag."""

    def from_moving(self, _tag):
        return "releases"

    from_deletion = from_moving


@pytest.fixture
def undo(front):
    rows = front.kept.stores.rows
    return Undo(rows.undo, rows.journal, rows.tags)


@pytest.fixture
def old(front):
    """The digest of an image at v1 and v2, until it is overwritten at v1."""
    data = push_image(front, "a", "v1", b"old")
    front.push_manifest("a", "v2", data)
    return digest_of(data)


@pytest.fixture
def new(front, old):
    return digest_of(push_image(front, "a", "v1", b"new"))


def allow(_tag):
    """Refuse nothing."""


def refuse(tag):
    raise Denied(tag=tag)


def target(front, tag="v1"):
    return front.get(f"/v2/a/manifests/{tag}").header("docker-content-digest")


def collect(front):
    """Let the grace of everything pass."""
    front.clock.advance(2 * GRACE)
    for _ in range(3):
        front.run(front.services.garbage.collect())


def test_a_tag_goes_back_to_what_it_was_and_forth_again(front, undo, old, new):
    assert front.run(undo.roll_back(A, V1, None, actor=ACTOR)) == RolledBack(old, new)
    assert target(front) == str(old)
    assert front.run(undo.roll_back(A, V1, None, actor=ACTOR)) == RolledBack(new, old)


def test_a_tag_goes_back_to_an_event_or_a_digest_even_a_deleted_one(front, undo, old, new):
    front.delete(f"/v2/a/manifests/{old}")
    assert front.get(f"/v2/a/manifests/{old}").status == 404
    assert front.run(undo.roll_back(A, V1, 1, actor=ACTOR)) == RolledBack(old, new)
    assert front.get(f"/v2/a/manifests/{old}").status == 200
    assert front.run(undo.roll_back(A, V1, new, actor=ACTOR)) == RolledBack(new, old)


def test_a_tag_gets_a_target_that_it_never_had_only_by_an_operator(front, undo, old):
    other = digest_of(push_image(front, "a", "other", b"other"))
    for tag in (V1, Tag("none")):
        with front.unchanged(), pytest.raises(NotRestorable):
            front.run(undo.roll_back(A, tag, other, actor=ACTOR))
    assert front.run(undo.roll_back(A, V1, other, actor=ACTOR, any_target=True)) == RolledBack(other, old)


class Raced:
    """A journal in which a tag is deleted right after each of the first `times` readings of a history."""

    def __init__(self, rows, times):
        self._rows, self._times = rows, times

    async def page_history(self, *which):
        events = await self._rows.journal.page_history(*which)
        if self._times:
            self._times -= 1
            await self._rows.tags.remove_tag(A, V1, actor=ACTOR)
        return events


def test_a_rollback_undoes_the_change_that_came_last(front, undo, old, new):
    rows = front.kept.stores.rows
    raced = Undo(rows.undo, Raced(rows, 1), rows.tags)
    assert front.run(raced.roll_back(A, V1, None, actor=ACTOR)) == RolledBack(new, None)
    assert target(front) == str(new)


@pytest.mark.parametrize("to", [2, 99, digest_of(b"never pushed")])
def test_a_tag_goes_back_to_nothing_else(front, undo, new, to):
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.roll_back(A, V1, to, actor=ACTOR))


def test_a_new_tag_has_nothing_to_go_back_to(front, undo, old):
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.roll_back(A, V1, None, actor=ACTOR))
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.roll_back(A, Tag("none"), None, actor=ACTOR))


def test_a_rollback_obeys_preconditions_and_protection(front, undo, old, new):
    wrong = Precondition(one_of=frozenset({old}))
    with front.unchanged(), pytest.raises(PreconditionFailed):
        front.run(undo.roll_back(A, V1, None, actor=ACTOR, precondition=wrong))
    with front.unchanged(), pytest.raises(TagIsProtected):
        front.run(undo.roll_back(A, V1, None, actor=ACTOR, guard=Guard()))


def test_a_deleted_tag_comes_back(front, undo, old):
    front.delete("/v2/a/manifests/v1")
    assert front.run(undo.restore_tag(A, V1, actor=ACTOR)) == Restored(tags=(V1,))
    assert target(front) == str(old)
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.restore_tag(A, V1, actor=ACTOR))


def test_a_tag_that_was_deleted_with_its_manifest_brings_it_back(front, undo, old):
    front.delete(f"/v2/a/manifests/{old}")
    front.run(undo.restore_tag(A, V1, actor=ACTOR))
    assert target(front) == str(old)
    assert target(front, "v2") is None


def test_a_manifest_comes_back_with_its_tags_but_none_that_was_taken(front, undo, old):
    front.delete(f"/v2/a/manifests/{old}")
    other = digest_of(push_image(front, "a", "v2", b"other"))
    restored = front.run(undo.restore_manifest(A, old, authorize=allow, actor=ACTOR))
    assert restored == Restored((old,), (V1,), (V2,))
    assert (target(front), target(front, "v2")) == (str(old), str(other))
    collect(front)
    assert front.get(f"/v2/a/manifests/{old}").status == 200
    assert front.get(f"/v2/a/blobs/{digest_of(b'old')}").status == 200


def test_each_tag_of_a_restoration_needs_permission(front, undo, old):
    front.delete(f"/v2/a/manifests/{old}")
    with front.unchanged(), pytest.raises(Denied):
        front.run(undo.restore_manifest(A, old, authorize=refuse, actor=ACTOR))
    front.delete("/v2/a/manifests/v1")
    front.run(undo.restore_manifest(A, old, authorize=allow, actor=ACTOR))
    front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    with front.unchanged(), pytest.raises(Denied):
        front.run(undo.restore_repository(A, authorize=refuse, actor=ACTOR))


def test_what_was_not_deleted_is_not_restored(front, undo, old):
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.restore_manifest(A, old, authorize=allow, actor=ACTOR))
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.restore_repository(A, authorize=allow, actor=ACTOR))


def test_what_was_pushed_again_needs_no_restoration(front, undo, old):
    front.delete(f"/v2/a/manifests/{old}")
    push_image(front, "a", "other", b"old")
    with front.unchanged():
        assert front.run(undo.restore_manifest(A, old, authorize=allow, actor=ACTOR)) == Restored()
    assert target(front) is None


def test_a_repository_gets_its_tags_of_what_was_pushed_again_but_nothing_that_was_deleted_again(front, undo, old, new):
    front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    front.clock.advance(60)
    push_image(front, "a", "other", b"old")
    assert front.run(undo.restore_repository(A, authorize=allow, actor=ACTOR)) == Restored((new,), (V1, V2))
    front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    front.clock.advance(60)
    for data in (b"old", b"new"):
        push_image(front, "a", "other", data)
    front.delete(f"/v2/a/manifests/{old}")
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.restore_repository(A, authorize=allow, actor=ACTOR))


def test_after_the_grace_nothing_comes_back(front, undo, old):
    front.delete(f"/v2/a/manifests/{old}")
    collect(front)
    with front.unchanged():
        for work in (
            undo.restore_tag(A, V1, actor=ACTOR),
            undo.restore_manifest(A, old, authorize=allow, actor=ACTOR),
            undo.roll_back(A, V1, 1, actor=ACTOR),
        ):
            with pytest.raises(NotRestorable, match="restore"):
                front.run(work)


def test_a_repository_is_deleted_and_comes_back(front, undo, old, new):
    blob = front.push_blob("a", b"of no manifest")
    deleted = front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    assert deleted == RepositoryDeleted(2, [V1, V2])
    for path in ("manifests/v1", f"manifests/{old}", f"blobs/{blob}"):
        assert front.get(f"/v2/a/{path}").status == 404
    assert front.get("/v2/_catalog").json["repositories"] == []
    with front.unchanged(), pytest.raises(NameUnknown):
        front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    restored = front.run(undo.restore_repository(A, authorize=allow, actor=ACTOR))
    assert (set(restored.manifests), restored.tags) == ({old, new}, (V1, V2))
    assert (target(front), target(front, "v2")) == (str(new), str(old))
    assert front.get(f"/v2/a/blobs/{blob}").status == 200


def test_a_manifest_comes_back_from_a_deleted_repository_with_its_own_tags(front, undo, old, new):
    front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    assert front.run(undo.restore_manifest(A, old, authorize=allow, actor=ACTOR)) == Restored((old,), (V2,))
    assert target(front) is None


def test_a_repository_whose_grace_is_over_does_not_come_back(front, undo, old):
    front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR))
    collect(front)
    with front.unchanged(), pytest.raises(NotRestorable):
        front.run(undo.restore_repository(A, authorize=allow, actor=ACTOR))


def test_a_refused_deletion_of_a_repository_changes_nothing(front, undo, old):
    with front.unchanged(), pytest.raises(Denied):
        front.run(undo.delete_repository(A, authorize=refuse, actor=ACTOR))
    with front.unchanged(), pytest.raises(TagIsProtected):
        front.run(undo.delete_repository(A, authorize=allow, actor=ACTOR, guard=Guard()))


def test_what_a_rollback_would_give_is_known_before(front, undo, old, new):
    with front.unchanged():
        assert front.run(undo.earlier_target(A, V1, None)) == old
        assert front.run(undo.earlier_target(A, V1, 1)) == old
        for tag, event in ((V1, 99), (Tag("none"), None), (V2, None)):
            with pytest.raises(NotRestorable):
                front.run(undo.earlier_target(A, tag, event))


def test_what_a_restoration_would_restore_is_known_before(front, undo, old, new):
    front.delete("/v2/a/manifests/v2")
    front.delete(f"/v2/a/manifests/{new}")
    with front.unchanged():
        of_tag, of_manifest = (front.run(undo.restorable(A, each)) for each in (V2, new))
        with pytest.raises(NotRestorable):
            front.run(undo.restorable(A, None))
    assert (of_tag.manifests, of_tag.tags) == ([old], {V2: old})
    assert (of_manifest.manifests, of_manifest.tags) == ([new], {V1: new})
    assert front.run(undo.restore_manifest(A, new, authorize=allow, actor=ACTOR)).tags == (V1,)
    front.delete("/api/v1/repositories/a")
    of_all = front.run(undo.restorable(A, None))
    assert (set(of_all.manifests), of_all.tags) == ({old, new}, {V1: new})
