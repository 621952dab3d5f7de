"""A check as a whole: the order of its steps, what it does about a database that is none, and what it counts."""

import asyncio

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.fsck.findings import Mode, Remedy
from simple_registry.operations.fsck.run import Fsck, broken_database
from simple_registry.operations.manifests import Required
from support.checking import check, execute
from support.documents import push_image


def test_an_empty_store_is_sound(front):
    assert check(front, deep=True, repair=True) == []


def test_an_emptied_database_is_named_and_nothing_is_repaired_by_it(disk_front):
    push_image(disk_front, "a", "v1", b"layer")
    for table in ("tags", "manifest_children", "manifests", "repository_blobs", "contents", "repositories"):
        execute(disk_front, f"DELETE FROM {table}")
    with disk_front.unchanged():
        (finding,) = check(disk_front, deep=True, repair=True)
    assert finding.kind == "database"
    assert finding.to_do is Remedy.RESTORE


def test_a_damaged_database_is_named_and_nothing_is_repaired_by_it(disk_front, monkeypatch):
    push_image(disk_front, "a", "v1", b"layer")
    disk_front.kept.write(digest_of(b"layer"), None)

    async def damaged(*, thorough):
        return [f"row 1 missing from index (thorough: {thorough})"]

    monkeypatch.setattr(disk_front.kept.rows, "check_database", damaged)
    with disk_front.unchanged():
        (finding,) = check(disk_front, deep=True, repair=True)
    assert finding == broken_database("row 1 missing from index (thorough: True)")


def test_a_tree_that_is_gone_is_no_finding_but_a_fault(disk_front, tmp_path):
    push_image(disk_front, "a", "v1", b"layer")
    (tmp_path / "data" / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageFault, match="is the file system mounted"):
        check(disk_front)


def test_what_was_done_is_counted(front):
    push_image(front, "a", "v1", b"layer")
    front.kept.write(digest_of(b"orphan"), b"orphan")
    front.kept.write(digest_of(b"layer"), None)
    kept = front.kept
    fsck = Fsck(kept.rows, kept.files, clock=front.clock, required=Required(), mode=Mode(deep=True, repair=True))

    async def run():
        return [finding.kind async for finding in fsck.run()]

    assert sorted(front.run(run())) == ["missing", "orphan"]
    assert (fsck.summary.found, fsck.summary.repaired, fsck.summary.remaining) == ({"missing": 1, "orphan": 1}, 1, 1)
    assert (fsck.progress.contents, fsck.progress.contents_checked) == (3, 3)
    assert fsck.progress.bytes_read > len(b"orphan")


def test_others_on_the_loop_get_their_turn(front):
    push_image(front, "a", "v1", b"layer")
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run():
        counting = asyncio.create_task(count())
        fsck = Fsck(front.kept.rows, front.kept.files, clock=front.clock, required=Required(), mode=Mode())
        assert [finding async for finding in fsck.run()] == []
        counting.cancel()

    front.run(run())
    assert turns >= 512
