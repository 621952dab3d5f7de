"""Content without a row: reported when no push can be about to write it, then condemned, or moved to the quarantine."""

from pathlib import Path

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.operations.fsck.findings import Repair
from simple_registry.operations.fsck.orphans import YOUNG
from support.checking import check, execute, found
from support.documents import push_image
from support.front import Front
from support.stores import in_objects

DATA = b"bytes without a row"
DIGEST = digest_of(DATA)


@pytest.fixture(autouse=True)
def something(disk_front):
    """Create a repository: an empty database with content is another finding."""
    push_image(disk_front, "a", "v1", b"layer")


@pytest.fixture
def path(disk_front):
    return Path(disk_front.kept.layout.blob(DIGEST))


def test_content_without_a_row_is_found(disk_front):
    disk_front.kept.write(DIGEST, DATA)
    with disk_front.unchanged():
        assert found(check(disk_front)) == [("orphan", str(DIGEST), False)]


def test_a_whole_orphan_is_left_to_the_collector(disk_front, path):
    disk_front.kept.write(DIGEST, DATA)
    (finding,) = check(disk_front, repair=True)
    assert (finding.done, finding.repaired) == (Repair.CONDEMNED, True)
    assert check(disk_front, deep=True) == []
    assert path.exists()
    assert disk_front.run(disk_front.services.garbage.collect()).contents == 1
    assert not path.exists()
    assert check(disk_front, deep=True) == []


def test_a_condemned_orphan_that_is_pushed_is_held(disk_front, clock):
    disk_front.kept.write(DIGEST, DATA)
    check(disk_front, repair=True)
    push_image(disk_front, "a", "v1", DATA)
    clock.advance(2 * 24 * 3600)
    disk_front.run(disk_front.services.garbage.collect())
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == DATA


@pytest.mark.parametrize("deep", [False, True])
def test_bytes_at_another_place_of_whole_content_are_removed(tmp_path, clock, deep):
    with in_objects(tmp_path, clock) as (kept, objects), Front(kept, clock) as front:
        digest = front.push_blob("a", DATA)
        needed = front.run(objects.list("content/"))
        front.run(kept.stores.content.put(digest, DATA))
        assert found(check(front, deep=deep)) == [("orphan", str(digest), False)]
        (finding,) = check(front, deep=deep, repair=True)
        assert (finding.done, finding.repaired) == (Repair.DISCARDED, True)
        assert front.run(objects.list("content/")) == needed
        assert check(front, deep=True) == []


def test_bytes_at_another_place_of_damaged_content_are_kept_for_their_push(tmp_path, clock):
    with in_objects(tmp_path, clock) as (kept, objects), Front(kept, clock) as front:
        digest = front.push_blob("a", DATA)
        record = front.run(kept.stores.rows.contents.find_content(digest))
        front.run(kept.stores.content.put(digest, DATA))
        front.run(kept.stores.rows.contents.mark_damaged(record))
        front.run(objects.delete(record.place))
        assert {each.kind for each in check(front, deep=True, repair=True)} == {"missing"}
        assert len(front.run(objects.list("content/"))) == 1


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"wrong"), Path.mkdir])
def test_an_orphan_that_is_not_whole_is_moved_to_the_quarantine(disk_front, path, make):
    path.parent.mkdir(exist_ok=True)
    make(path)
    (finding,) = check(disk_front, repair=True)
    assert (finding.done, finding.moved_to) == (Repair.MOVED, f"quarantine/{DIGEST}.1")
    assert not path.exists()
    assert check(disk_front, deep=True) == []
    disk_front.push_blob("a", DATA)
    assert path.read_bytes() == DATA


def test_a_part_that_a_manifest_lacks_is_left_where_it_is(disk_front):
    layer = digest_of(b"layer")
    execute(disk_front, "DELETE FROM repository_blobs WHERE digest = ?", str(layer))
    execute(disk_front, "DELETE FROM contents WHERE digest = ?", str(layer))
    findings = check(disk_front, repair=True)
    assert {(finding.kind, finding.repaired) for finding in findings} == {("dangling", False), ("orphan", False)}
    disk_front.push_blob("a", b"layer")
    assert check(disk_front, deep=True) == []


def test_content_that_was_just_placed_may_be_about_to_get_its_row(disk_front, clock):
    disk_front.kept.write(DIGEST, DATA)
    clock.seconds = Path(disk_front.kept.layout.blob(DIGEST)).stat().st_ctime + YOUNG / 2
    assert check(disk_front) == []
    clock.advance(YOUNG)
    assert found(check(disk_front)) == [("orphan", str(DIGEST), False)]


def test_content_that_gets_its_row_meanwhile_is_not_an_orphan(disk_front, monkeypatch):
    disk_front.kept.write(DIGEST, DATA)
    rows = disk_front.kept.inspection.rows
    condemn = rows.condemn

    async def push_before(record):
        execute(disk_front, "INSERT INTO contents (digest, size) VALUES (?, ?)", str(DIGEST), len(DATA))
        return await condemn(record)

    monkeypatch.setattr(rows, "condemn", push_before)
    assert found(check(disk_front, repair=True)) == []


@pytest.mark.parametrize("place", ["blobs/x", "blobs/sha256/zz/y", "blobs/sha256/ab/short", "uploads/not a session"])
def test_a_foreign_name_is_found_and_moved_to_the_quarantine(disk_front, place):
    root = Path(disk_front.kept.layout.root)
    path = root / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"stray")
    stray = "blobs/sha256/zz" if "zz" in place else place
    assert found(check(disk_front)) == [("stray", stray, False)]
    (finding,) = check(disk_front, repair=True)
    assert finding.repaired
    moved = root / finding.moved_to
    assert [each.read_bytes() for each in (moved, *moved.glob("*")) if each.is_file()] == [b"stray"]
    assert check(disk_front) == []


def test_content_in_the_directory_of_another_is_a_stray(disk_front):
    path = Path(disk_front.kept.layout.blobs) / "sha256" / "00" / f"ff{DIGEST.encoded[2:]}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(DATA)
    assert [finding.kind for finding in check(disk_front)] == ["stray"]
