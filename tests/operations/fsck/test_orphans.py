"""Files without a row: told of when no push can be about to write it, then handed to the collector or moved aside."""

from pathlib import Path

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.operations.fsck.orphans import YOUNG
from simple_registry.storage.records import ContentRecord
from support.checking import check, execute, told
from support.documents import push_image

DATA = b"nobody knows of this"
DIGEST = digest_of(DATA)


@pytest.fixture(autouse=True)
def something(request):
    """Let there be a repository, since a store without any is judged as a whole."""
    name = "disk_front" if "disk_front" in request.fixturenames else "front"
    push_image(request.getfixturevalue(name), "a", "v1", b"layer")


def test_a_file_without_a_row_is_found(front):
    front.kept.write(DIGEST, DATA)
    with front.unchanged():
        assert told(check(front)) == [("orphan", str(DIGEST), False)]


def test_a_whole_orphan_is_left_to_the_collector(front):
    front.kept.write(DIGEST, DATA)
    (finding,) = check(front, repair=True)
    assert finding.repaired
    assert check(front, deep=True) == []
    assert front.run(front.kept.stores.content.has(ContentRecord(DIGEST, len(DATA))))
    front.run(front.services.garbage.collect())
    assert not front.run(front.kept.stores.content.has(ContentRecord(DIGEST, len(DATA))))
    assert check(front, deep=True) == []


def test_an_orphan_that_is_pushed_meanwhile_is_held(front, clock):
    front.kept.write(DIGEST, DATA)
    check(front, repair=True)
    front.push_blob("a", DATA)
    clock.advance(10_000)
    front.run(front.services.garbage.collect())
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == DATA


def test_a_damaged_orphan_is_moved_aside(front):
    front.kept.write(DIGEST, DATA[1:])
    (finding,) = check(front, repair=True)
    assert finding.repaired
    assert finding.moved_to == f"quarantine/{DIGEST}.1"
    assert check(front, deep=True) == []


def test_a_part_that_a_manifest_lacks_is_left_where_it_is(disk_front):
    layer = digest_of(b"layer")
    execute(disk_front, "DELETE FROM repository_blobs WHERE digest = ?", str(layer))
    execute(disk_front, "DELETE FROM contents WHERE digest = ?", str(layer))
    findings = check(disk_front, repair=True)
    assert {(finding.kind, finding.repaired) for finding in findings} == {("dangling", False), ("orphan", False)}
    disk_front.push_blob("a", b"layer")
    assert check(disk_front, deep=True) == []


def test_a_file_that_was_just_named_may_be_about_to_get_its_row(disk_front, clock):
    disk_front.kept.write(DIGEST, DATA)
    clock.seconds = Path(disk_front.kept.layout.blob(DIGEST)).stat().st_ctime + YOUNG / 2
    assert check(disk_front) == []
    clock.advance(YOUNG)
    assert told(check(disk_front)) == [("orphan", str(DIGEST), False)]


def test_an_orphan_that_got_its_row_before_it_was_judged_is_none(disk_front, monkeypatch):
    disk_front.kept.write(DIGEST, DATA)
    settle = disk_front.kept.rows.settle

    async def push_before(digest, judge):
        execute(disk_front, "INSERT INTO contents (digest, size) VALUES (?, ?)", str(DIGEST), len(DATA))
        return await settle(digest, judge)

    monkeypatch.setattr(disk_front.kept.rows, "settle", push_before)
    assert check(disk_front) == []


@pytest.mark.parametrize("place", ["blobs/x", "blobs/sha256/zz/y", "blobs/sha256/ab/short", "uploads/not a session"])
def test_what_has_no_name_of_ours_is_found_and_moved_aside(disk_front, place):
    root = Path(disk_front.kept.layout.root)
    path = root / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"stray")
    found = "blobs/sha256/zz" if "zz" in place else place
    assert told(check(disk_front)) == [("stray", found, False)]
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
