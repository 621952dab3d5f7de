"""A check as a whole: the order of its steps, a database that cannot be relied on, and what it counts."""

import asyncio

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.fsck.findings import Mode, Remedy
from simple_registry.operations.fsck.run import broken_database
from support.checking import check, execute, fsck_of
from support.documents import push_image
from support.front import Front
from support.stores import in_objects
from support.streams import stream_of


def test_an_empty_store_is_sound(disk_front):
    assert check(disk_front, deep=True, repair=True) == []


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

    monkeypatch.setattr(disk_front.kept.inspection.rows, "check_database", damaged)
    with disk_front.unchanged():
        (finding,) = check(disk_front, deep=True, repair=True)
    assert finding == broken_database("row 1 missing from index (thorough: True)")


def test_a_tree_that_is_gone_is_a_fault_not_a_finding(disk_front, tmp_path):
    push_image(disk_front, "a", "v1", b"layer")
    (tmp_path / "data" / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageFault, match="is the file system mounted"):
        check(disk_front)


@pytest.mark.parametrize(("data", "kind"), [(None, "missing"), (b"layeR", "flipped"), (b"laye", "short")])
def test_content_in_an_object_store_is_checked_and_repaired_as_well(tmp_path, clock, data, kind):
    with in_objects(tmp_path, clock) as (kept, objects), Front(kept, clock) as front:
        push_image(front, "a", "v1", b"layer")
        session = front.open_session("a")
        assert front.patch(session, body=b"0123456789").status == 202
        layer = front.run(kept.stores.rows.contents.find_content(digest_of(b"layer")))
        for part in front.run(objects.list("uploads/")):
            front.run(objects.delete(part.key))
        front.run(objects.delete(layer.place))
        if data is not None:
            front.run(objects.put(layer.place, len(data), stream_of(data)))
        front.run(kept.stores.content.put(digest_of(b"orphan"), b"other bytes"))
        found = check(front, deep=True, repair=True)
        assert {each.kind for each in found if not each.repaired} == {kind}
        assert {each.kind for each in found if each.repaired} == {"lost-upload", "orphan"}
        assert front.get(f"/v2/a/blobs/{digest_of(b'layer')}").status == 404
        front.push_blob("b", b"layer")
        assert front.get(f"/v2/a/blobs/{digest_of(b'layer')}").body == b"layer"
        assert check(front, deep=True) == []
        assert front.run(front.services.garbage.collect()).contents == 1
        assert check(front, deep=True) == []


def test_repairs_are_counted(disk_front):
    push_image(disk_front, "a", "v1", b"layer")
    disk_front.kept.write(digest_of(b"orphan"), b"orphan")
    disk_front.kept.write(digest_of(b"layer"), None)
    fsck = fsck_of(disk_front, Mode(deep=True, repair=True))

    async def run():
        return [finding.kind async for finding in fsck.run()]

    assert sorted(disk_front.run(run())) == ["missing", "orphan"]
    assert (fsck.summary.found, fsck.summary.repaired, fsck.summary.remaining) == ({"missing": 1, "orphan": 1}, 1, 1)
    assert (fsck.progress.contents, fsck.progress.contents_checked) == (3, 3)
    assert fsck.progress.bytes_read > len(b"orphan")


def test_other_tasks_of_the_loop_get_their_turn(disk_front):
    push_image(disk_front, "a", "v1", b"layer")
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run():
        counting = asyncio.create_task(count())
        fsck = fsck_of(disk_front, Mode())
        assert [finding async for finding in fsck.run()] == []
        counting.cancel()

    disk_front.run(run())
    assert turns >= 512
