"""When tags were pushed and pulled, and the removal of those that did not change since they were read."""

import pytest

from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import JournalAction, Place, Pull, TagRow
from storage.support import OTHER, REPOSITORY, manifest_of, run
from support.actors import ACTOR

OLD, NEW = manifest_of(b"old"), manifest_of(b"new")
V1, V2 = Tag("v1"), Tag("v2")
HOUR = 3600.0


@pytest.fixture
def rows(stores):
    return stores.rows


@pytest.fixture
def put(rows):
    """Push a manifest with tags."""

    def put(manifest, *tags, repository=REPOSITORY):
        pushed = rows.manifests.put_manifest(
            repository, manifest, place=Place(""), removals=0, tags=tags, parts=(), actor=ACTOR
        )
        run(pushed)

    return put


def dated(rows, repository=REPOSITORY):
    return run(rows.tag_times.dated_tags(repository))


def pull(rows, reference, when, repository=REPOSITORY):
    run(rows.tag_times.record_pulls([Pull(repository, reference, when)], apart=HOUR))


def test_each_push_dates_its_tags(rows, put, clock):
    first = clock.now()
    put(OLD, V2, V1)
    clock.time += 10
    put(OLD, V2)
    assert dated(rows) == [TagRow(V1, OLD.digest, first), TagRow(V2, OLD.digest, first + 10)]
    assert dated(rows, OTHER) == []


def last_pushed(rows, containing="", after=None, limit=100):
    read = rows.tag_times.last_pushed_tags(REPOSITORY, containing=containing, after=after, limit=limit)
    return [row.tag for row in run(read)]


def in_order(rows, containing="", after=None, limit=100, *, reverse=False):
    read = rows.tag_times.sorted_tags(
        REPOSITORY, lambda tag: tag[::-1], containing=containing, after=after, limit=limit, reverse=reverse
    )
    return [row.tag for row in run(read)]


def test_the_last_pushed_tags_come_first_in_pages(rows, put, clock):
    for tags in (["old-b", "old-a"], ["new"], ["old-b"]):
        clock.time += 10
        put(OLD, *map(Tag, tags))
    put(OLD, Tag("elsewhere"), repository=OTHER)
    assert last_pushed(rows) == ["old-b", "new", "old-a"]
    (first,) = [row for row in dated(rows) if row.tag == "old-b"]
    assert last_pushed(rows, after=first.position, limit=1) == ["new"]
    assert last_pushed(rows, after=first.position) == ["new", "old-a"]


def test_tags_pushed_at_once_are_in_one_order_in_pages(rows, put):
    put(OLD, Tag("b"), Tag("a"), Tag("c"))
    (middle,) = [row for row in dated(rows) if row.tag == "b"]
    assert last_pushed(rows) == ["c", "b", "a"]
    assert last_pushed(rows, after=middle.position) == ["a"]


@pytest.mark.parametrize("listed", [last_pushed, in_order])
def test_tags_are_found_by_a_part_of_their_name(rows, put, listed):
    put(OLD, Tag("V1_x"), Tag("v2.x"), Tag("other"))
    assert listed(rows, "v1_") == ["V1_x"]
    assert set(listed(rows, "X")) == {"V1_x", "v2.x"}
    assert listed(rows, "%") == []


def test_tags_are_sorted_by_a_key_in_pages(rows, put):
    put(OLD, Tag("a3"), Tag("b1"), Tag("c2"))
    put(OLD, Tag("d0"), repository=OTHER)
    assert in_order(rows) == ["b1", "c2", "a3"]
    assert in_order(rows, reverse=True) == ["a3", "c2", "b1"]
    assert in_order(rows, after=Tag("b1"), limit=1) == ["c2"]
    assert in_order(rows, after=Tag("gone2"), reverse=True) == ["c2", "b1"]
    assert in_order(rows, after=Tag("a3")) == []


def test_a_pull_by_tag_dates_that_tag(rows, put, clock):
    put(OLD, V1, V2)
    pull(rows, V1, 5e9)
    assert [each.pulled for each in dated(rows)] == [5e9, None]


def test_a_pull_by_digest_dates_the_tags_that_point_there(rows, put):
    put(OLD, V1)
    put(NEW, V2)
    put(OLD, V1, repository=OTHER)
    pull(rows, OLD.digest, 5e9)
    assert [each.pulled for each in (*dated(rows), *dated(rows, OTHER))] == [5e9, None, None]


def test_a_tag_is_dated_once_in_a_while(rows, put):
    put(OLD, V1)
    for when, expected in ((5e9, 5e9), (5e9 + HOUR, 5e9), (5e9 + HOUR + 1, 5e9 + HOUR + 1)):
        pull(rows, V1, when)
        assert dated(rows)[0].pulled == expected


def test_a_date_in_the_future_is_corrected(rows, put):
    put(OLD, V1)
    for when in (9e9, 5e9):
        pull(rows, V1, when)
        assert dated(rows)[0].pulled == when


def test_a_pull_of_what_is_not_there_changes_nothing(rows, put):
    pull(rows, V1, 5e9)
    pull(rows, OLD.digest, 5e9, RepositoryName("none"))
    assert dated(rows) == []


def test_a_moved_tag_keeps_its_last_pull_and_a_new_one_has_none(rows, put):
    put(OLD, V1)
    pull(rows, V1, 5e9)
    put(NEW, V1)
    assert dated(rows)[0].pulled == 5e9
    run(rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR))
    put(NEW, V1)
    assert dated(rows)[0].pulled is None


def test_unchanged_tags_retire_and_are_in_the_journal(rows, put):
    put(OLD, V1, V2)
    read = dated(rows)
    assert run(rows.tag_times.retire_tags(REPOSITORY, read[:1], actor=ACTOR, owners={})) == [V1]
    assert dated(rows) == read[1:]
    (event,) = run(rows.journal.page_history(REPOSITORY, V1, None, 1))
    assert (event.action, event.before, event.actor) == (JournalAction.TAG_DELETE, OLD.digest, ACTOR)
    assert run(rows.manifests.find_manifest(REPOSITORY, OLD.digest)) is not None


@pytest.mark.parametrize("change", ["pushed", "moved", "pulled", "removed"])
def test_tags_that_changed_since_stay(rows, put, clock, change):
    put(OLD, V1, V2)
    read = dated(rows)
    clock.time += 10
    match change:
        case "pushed":
            put(OLD, V1)
        case "moved":
            put(NEW, V1)
        case "pulled":
            pull(rows, V1, clock.now())
        case "removed":
            run(rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR))
    left = [each for each in dated(rows) if each.tag == V1]
    assert run(rows.tag_times.retire_tags(REPOSITORY, read, actor=ACTOR, owners={})) == [V2]
    assert dated(rows) == left


def test_runs_are_kept_until_they_are_replaced(rows):
    assert run(rows.tag_times.retention_runs()) == {}
    run(rows.tag_times.keep_retention_runs({"a": 1.5, "b": 2.0}))
    run(rows.tag_times.keep_retention_runs({"b": 3.0}))
    assert run(rows.tag_times.retention_runs()) == {"b": 3.0}


def test_tags_stay_while_what_they_belong_to_is_kept(rows, put):
    index = manifest_of(b"index", children=(OLD.digest,))
    put(OLD, V1)
    put(NEW, V2)
    owner = {V2: OLD.digest}

    def retire():
        read = [each for each in dated(rows) if each.tag == V2]
        return run(rows.tag_times.retire_tags(REPOSITORY, read, actor=ACTOR, owners=owner))

    assert run(rows.tag_times.owners(REPOSITORY, [OLD.digest, index.digest])) == {OLD.digest: False}
    assert retire() == []
    put(index)
    run(rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR))
    assert run(rows.tag_times.owners(REPOSITORY, [OLD.digest])) == {OLD.digest: True}
    assert retire() == []
    run(rows.manifests.remove_manifest(REPOSITORY, index.digest, tags=[], actor=ACTOR))
    assert retire() == [V2]
    run(rows.manifests.remove_manifest(REPOSITORY, OLD.digest, tags=[], actor=ACTOR))
    assert run(rows.tag_times.owners(REPOSITORY, [OLD.digest])) == {}
