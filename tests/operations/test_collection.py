"""Collections: their pace, short space, and what they report."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.collection import BATCH, EARLY, Collection, Pace, Report, Swept
from simple_registry.operations.contents import Contents
from simple_registry.storage.records import ReviewRules, Space, Waiting
from simple_registry.storage.sqlite.removals import without_removals
from support.documents import push_image

ALL = ReviewRules(9e9, lambda _: False)


@pytest.fixture
def collection(front):
    def build(**how):
        rows = front.kept.stores.rows
        contents = Contents(rows.contents, rows.garbage, front.kept.stores.content)
        return Collection(rows.garbage, rows.reviews, contents, **({"pace": Pace()} | how))

    return build


def swept(front, collection, before, rules=None, **how):
    done = Swept()
    front.run(collection.run(before, rules, done, **how))
    return done


@pytest.mark.parametrize(
    ("pace", "batch", "pause"),
    [(Pace(), BATCH, 0), (Pace(files=10), 10, 0.2), (Pace(size=100), BATCH, 3), (Pace(files=0.5, size=1000), 1, 4)],
)
def test_a_pace_bounds_batches_and_pauses(pace, batch, pause):
    assert (pace.batch, pace.pause(Space(2, 300))) == (batch, pause)


def test_nothing_is_collected_outside_the_window(front, collection, clock):
    push_image(front, "a", "v1", b"layer")
    assert swept(front, collection(pace=Pace(allowed=lambda: False)), float("inf"), ALL) == Swept()


def test_untagged_manifests_and_their_parts_end_after_one_grace(front, collection, clock):
    push_image(front, "a", "v1", b"layer")
    front.delete("/v2/a/manifests/v1")
    assert swept(front, collection(), clock.now() - 60, ALL) == Swept(unneeded=1)
    clock.advance(61)
    done = swept(front, collection(), clock.now() - 60, ALL)
    assert (done.unneeded, done.manifests, done.blobs, done.removed.count) == (0, 1, 2, 3)
    assert front.get("/v2/_catalog").json["repositories"] == []


def test_a_rehearsal_is_right_and_changes_nothing(front, collection, clock):
    push_image(front, "a", "v1", b"layer")
    front.delete("/v2/a/manifests/v1")
    expected = front.run(collection().rehearse(float("inf"), ALL))
    assert front.get("/v2/_catalog").json["repositories"] == ["a"]
    assert swept(front, collection(), float("inf"), ALL) == expected


def test_short_space_ends_the_oldest_before_their_time(front, collection, clock, monkeypatch, caplog):
    monkeypatch.setattr("simple_registry.operations.collection.EARLY", 1)
    old = front.push_blob("a", b"old")
    clock.advance(10)
    young = front.push_blob("a", b"young")
    lacking = iter([True, False])
    done = swept(front, collection(lacks_space=lambda: next(lacking)), clock.now() - 60, early=clock.now() + 1)
    assert (done.early, done.blobs) == (1, 1)
    assert "free space is short: 1 holdings ended before their grace was over" in caplog.messages
    assert [front.get(f"/v2/a/blobs/{each}").status for each in (old, young)] == [404, 200]


def test_short_space_ends_when_nothing_is_left(front, collection, clock):
    push_image(front, "a", "v1", b"layer")
    done = swept(front, collection(lacks_space=lambda: True), clock.now() - 60, early=clock.now() + 1)
    assert done == Swept()
    assert front.get("/v2/a/manifests/v1").status == 200


@pytest.fixture
def deleted(front, clock):
    """Ten repositories that were deleted a minute apart, and a blob whose manifest is still to come."""
    for number in range(10):
        push_image(front, f"r{number}", "v1", b"layer %d" % number)
        front.delete(f"/api/v1/repositories/r{number}")
        clock.advance(60)
    front.push_blob("ci", b"just pushed")


def restorable(front):
    paths = [f"/api/v1/repositories/r{number}/restore" for number in range(10)]
    headers = {"content-type": "application/json"}
    return sum(front.request("POST", path, headers=headers, body=b"{}").status == 200 for path in paths)


def test_short_space_ends_no_more_than_it_needs(front, collection, clock, deleted, monkeypatch):
    monkeypatch.setattr("simple_registry.operations.collection.EARLY", 6)
    lacking = iter([True, False])
    pace = Pace(files=1000)
    done = swept(front, collection(pace=pace, lacks_space=lambda: next(lacking)), 0, early=clock.now() - 30)
    assert (done.manifests, done.blobs, done.early) == (3, 3, 6)
    assert done.removed.count == 4  # all repositories share the config
    assert restorable(front) == 7


def test_short_space_ends_nothing_that_is_young(front, collection, clock, deleted):
    done = swept(front, collection(lacks_space=lambda: True), 0, early=clock.now() - 90)
    assert done.early > 0
    assert restorable(front) == 1
    assert front.head(f"/v2/ci/blobs/{digest_of(b'just pushed')}").status == 200


def test_short_space_ends_nothing_while_a_backup_keeps_all_bytes(disk_front, clock):
    rows = disk_front.kept.stores.rows
    contents = Contents(rows.contents, rows.garbage, disk_front.kept.stores.content)
    collection = Collection(rows.garbage, rows.reviews, contents, pace=Pace(), lacks_space=lambda: True)
    push_image(disk_front, "r0", "v1", b"layer 0")
    disk_front.delete("/api/v1/repositories/r0")
    with without_removals(disk_front.kept.layout.database), disk_front.unchanged():
        assert swept(disk_front, collection, 0, early=clock.now() + 1) == Swept()
    assert swept(disk_front, collection, 0, early=clock.now() + 1).early == 3


def test_short_space_ends_nothing_while_removed_bytes_are_still_there(front, collection, clock, deleted, monkeypatch):
    async def fail(_record):
        raise StorageFault("remove content", "no permission")

    monkeypatch.setattr(front.kept.stores.content, "remove", fail)
    done = swept(front, collection(lacks_space=lambda: True), 0, early=clock.now() - 30)
    assert done.early == EARLY
    assert swept(front, collection(lacks_space=lambda: True), 0, early=clock.now() - 30) == Swept()


def test_a_report_says_until_when_deletions_can_be_undone():
    report = Report(Swept(removed=Space(1, 2)), Waiting(Space(3, 4), Space(5, 6), 1000.0), 500.0, dry_run=False)
    assert report.described() == {
        "dryRun": False,
        "complete": True,
        "unneeded": 0,
        "ended": {"manifests": 0, "blobs": 0, "early": 0},
        "removed": {"contents": 1, "bytes": 2},
        "waiting": {"holdings": 5, "bytes": 6},
        "restorable": {"holdings": 3, "bytes": 4, "until": "1970-01-01T00:25:00Z"},
    }
    nothing = Report(Swept(), Waiting(Space(), Space(), 0.0), 500.0, dry_run=True)
    assert nothing.described()["restorable"] == {"holdings": 0, "bytes": 0, "until": None}
