"""The operations on blobs: every answer rests on the row of the repository asked about."""

import fcntl
from pathlib import Path

import pytest

from simple_registry.faults import StorageFull, StorageReadOnly
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import BlobUnknown
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations import blobs as module, side_writes
from simple_registry.operations.blobs import ContentRecord
from simple_registry.storage.life import HoldingEvent
from support.actors import ACTOR
from support.documents import push_image
from support.front import Front
from support.stores import on_disk

DATA = b"some content"
DIGEST = digest_of(DATA)
A, AB, C = (parse_repository_name(name) for name in ("a", "a/b", "c"))


@pytest.fixture
def blobs(front):
    return front.services.registry.blobs


def test_a_blob_is_known_where_it_was_pushed_and_nowhere_else(front, blobs):
    front.push_blob("a", DATA)
    assert front.run(blobs.open(A, DIGEST))[0] == ContentRecord(DIGEST, len(DATA))
    for repository in (AB, C):
        with pytest.raises(BlobUnknown):
            front.run(blobs.open(repository, DIGEST))


def test_a_blob_without_its_bytes_is_absent_until_it_is_pushed_again(front, blobs):
    front.push_blob("a", DATA)
    front.kept.write(DIGEST, None)
    assert front.get(f"/v2/a/blobs/{DIGEST}").codes == ["BLOB_UNKNOWN"]
    with pytest.raises(BlobUnknown):
        front.run(blobs.open(A, DIGEST))
    front.push_blob("a", DATA)
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == DATA


def test_a_mount_checks_only_visible_repositories(front, blobs):
    for repository in ("a", "c"):
        front.push_blob(repository, DATA)
    asked = []

    def visible(repository):
        asked.append(repository)
        return repository == C

    assert front.run(blobs.mount(AB, DIGEST, source=None, visible=visible, actor=ACTOR)) == ContentRecord(
        DIGEST, len(DATA)
    )
    assert asked == [A, C]


def test_a_mount_checks_a_bounded_number_of_repositories(front, blobs, monkeypatch):
    monkeypatch.setattr(module, "MAX_HOLDERS", 3)
    for number in range(5):
        front.push_blob(f"r{number}", DATA)
    asked = []
    with front.unchanged():
        assert front.run(blobs.mount(A, DIGEST, source=None, visible=asked.append, actor=ACTOR)) is None
    assert asked == ["r0", "r1", "r2"]


@pytest.mark.parametrize("visible", [True, False])
def test_a_mount_from_a_source_without_the_blob_returns_none(front, blobs, visible):
    front.push_blob("c", DATA)
    with front.unchanged():
        assert front.run(blobs.mount(AB, DIGEST, source=A, visible=lambda _: visible, actor=ACTOR)) is None


@pytest.mark.parametrize("source", [C, None])
def test_a_mount_of_a_blob_without_its_bytes_returns_none_until_it_is_pushed_again(front, blobs, source):
    front.push_blob("c", DATA)
    front.kept.write(DIGEST, None)
    assert front.run(blobs.mount(AB, DIGEST, source=source, visible=lambda _: True, actor=ACTOR)) is None
    with front.unchanged():
        assert front.run(blobs.mount(AB, DIGEST, source=source, visible=lambda _: True, actor=ACTOR)) is None
    front.push_blob("a", DATA)
    assert front.run(blobs.mount(AB, DIGEST, source=source, visible=lambda _: True, actor=ACTOR)) == ContentRecord(
        DIGEST, len(DATA)
    )


def test_deleting_a_blob_that_is_not_held_is_an_error(front, blobs):
    front.push_blob("a", DATA)
    with front.unchanged(), pytest.raises(BlobUnknown):
        front.run(blobs.delete(C, DIGEST, actor=ACTOR))


def test_a_missing_data_directory_is_a_fault_and_not_an_unknown_blob(clock, tmp_path):
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        front.push_blob("a", DATA)
        (tmp_path / "data").rename(tmp_path / "aside")
        assert front.get(f"/v2/a/blobs/{DIGEST}").status == 503
        (tmp_path / "aside").rename(tmp_path / "data")
        assert front.get(f"/v2/a/blobs/{DIGEST}").body == DATA


# ---------------------------------------------------------------- what a HEAD keeps


@pytest.fixture
def renewals(front, monkeypatch):
    """The events that were written."""
    rows, events = front.kept.stores.rows.blobs, []
    renew = rows.renew_blob

    async def write(repository, digest, event):
        events.append(event)
        return await renew(repository, digest, event)

    monkeypatch.setattr(rows, "renew_blob", write)
    return events


def test_a_head_of_a_caller_that_may_push_renews_the_grace_once_a_minute(front, clock, renewals):
    front.push_blob("a", DATA)
    for seconds, written in ((0, 0), (59, 0), (1, 1), (30, 1), (30, 2)):
        clock.advance(seconds)
        assert front.head(f"/v2/a/blobs/{DIGEST}").status == 200
        assert renewals == [HoldingEvent.ASKED] * written


def test_a_head_of_a_caller_that_may_only_pull_prolongs_the_grace_once(front, blobs, clock, renewals):
    front.push_blob("a", DATA)
    for _attempt in range(3):
        clock.advance(100)
        front.run(blobs.check(A, DIGEST, may_push=lambda: False))
        assert renewals == [HoldingEvent.SEEN]


@pytest.mark.parametrize("may_push", [True, False])
def test_a_deletion_during_a_head_stays(front, blobs, clock, monkeypatch, may_push):
    front.push_blob("a", DATA)
    clock.advance(100)
    rows = front.kept.stores.rows.blobs
    renew = rows.renew_blob

    async def delete_first(*what):
        await blobs.delete(A, DIGEST, actor=ACTOR)
        return await renew(*what)

    monkeypatch.setattr(rows, "renew_blob", delete_first)
    with pytest.raises(BlobUnknown):
        front.run(blobs.check(A, DIGEST, may_push=lambda: may_push))
    assert front.get(f"/v2/a/blobs/{DIGEST}").codes == ["BLOB_UNKNOWN"]


def test_a_head_of_a_needed_blob_writes_nothing(front, clock, renewals):
    push_image(front, "a", "v1", DATA)
    clock.advance(100)
    with front.unchanged():
        assert front.head(f"/v2/a/blobs/{DIGEST}").status == 200
        assert front.get(f"/v2/a/blobs/{DIGEST}").status == 200
    assert renewals == []


@pytest.mark.parametrize("fault", [StorageFull, StorageReadOnly])
def test_a_head_is_answered_when_rows_cannot_be_written(front, clock, monkeypatch, fault):
    front.push_blob("a", DATA)
    clock.advance(100)

    async def fail(*_what):
        raise fault("write rows", "the disk")

    monkeypatch.setattr(front.kept.stores.rows.blobs, "renew_blob", fail)
    assert front.head(f"/v2/a/blobs/{DIGEST}").status == 200


def test_reads_do_not_wait_long_for_the_writers(disk_front, clock, monkeypatch):
    monkeypatch.setattr(side_writes, "MAX_WAIT", 0.05)
    for data in (DATA, b"gone"):
        disk_front.push_blob("a", data)
    gone = digest_of(b"gone")
    disk_front.kept.write(gone, None)
    clock.advance(100)
    before = disk_front.run(disk_front.kept.stores.rows.blobs.find_blob(A, DIGEST)).holding
    with Path(f"{disk_front.kept.layout.database}.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a writer in another process does
        assert disk_front.head(f"/v2/a/blobs/{DIGEST}").status == 200
        assert disk_front.get(f"/v2/a/blobs/{gone}").status == 404
    disk_front.push_blob("a", b"another")  # after the writes under way
    blobs = disk_front.kept.stores.rows.blobs
    assert disk_front.run(blobs.find_blob(A, DIGEST)).holding.since == before.since + 100
    assert disk_front.run(blobs.find_blob(A, gone)) is None
