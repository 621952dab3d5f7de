"""Content that is missing or damaged is found, marked, and healed by the next push."""

import asyncio
import stat
from pathlib import Path

import pytest

from simple_registry.faults import InReadOnlyMode
from simple_registry.oci.digests import digest_of
from simple_registry.operations.fsck.contents import MAX_LISTED, compare, prefixes
from simple_registry.operations.fsck.findings import Kind, Remedy, Repair
from simple_registry.storage.inspection import ContentRow, Flaw, Stored
from simple_registry.storage.life import ContentState
from simple_registry.storage.records import ContentRecord, Place, ReadOnlyMode
from support.checking import check, execute, found
from support.documents import encode, image, push_image

LAYER = b"a layer that an image needs"
DIGEST = digest_of(LAYER)
DAMAGE = {
    "missing": None,
    "short": LAYER[:-1],
    "long": LAYER + b"x",
    "flipped": bytes([LAYER[0] ^ 1]) + LAYER[1:],
}


def stored(**facts):
    facts = {"digest": DIGEST, "place": Place(""), "size": 27, "changed": 0.0, "version": 0} | facts
    return Stored(**facts)


def test_a_sound_store_has_no_findings(disk_front):
    push_image(disk_front, "a/b", "v1", LAYER)
    with disk_front.unchanged():
        assert check(disk_front, deep=True, repair=True) == []


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_with_all_that_it_affects(disk_front, kind):
    manifest = push_image(disk_front, "a/b", "v1", LAYER)
    disk_front.push_manifest("a/b", "v2", manifest)
    push_image(disk_front, "other", "x", LAYER)
    push_image(disk_front, "unaffected", "y", b"another")
    disk_front.kept.write(DIGEST, DAMAGE[kind])
    with disk_front.unchanged():
        (finding,) = check(disk_front, deep=True)
    assert (finding.kind, finding.digest) == (kind, str(DIGEST))
    assert finding.path == f"blobs/sha256/{DIGEST.encoded[:2]}/{DIGEST.encoded}"
    assert finding.repositories == ("a/b", "other")
    assert finding.tags == ("a/b:v1", "a/b:v2", "other:x")
    assert not finding.repaired
    assert finding.done is Repair.NOTHING


def test_a_quick_check_sees_sizes_only(disk_front):
    push_image(disk_front, "a", "v1", LAYER)
    disk_front.kept.write(DIGEST, DAMAGE["flipped"])
    assert check(disk_front) == []
    disk_front.kept.write(DIGEST, DAMAGE["short"])
    assert found(check(disk_front)) == [("short", str(DIGEST), False)]


@pytest.mark.parametrize("kind", DAMAGE)
def test_repair_marks_damage_and_a_push_heals_it(disk_front, kind):
    push_image(disk_front, "a", "v1", LAYER)
    disk_front.kept.write(DIGEST, DAMAGE[kind])
    (finding,) = check(disk_front, deep=True, repair=True)
    assert (finding.kind, finding.done, finding.to_do) == (kind, Repair.MARKED, Remedy.PUSH)
    assert disk_front.head(f"/v2/a/blobs/{DIGEST}").status == 404
    assert found(check(disk_front, deep=True, repair=True)) == [(kind, str(DIGEST), False)]
    disk_front.push_blob("elsewhere", LAYER)
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(disk_front, deep=True) == []


def test_damage_is_found_in_read_only_mode_and_not_repaired(disk_front):
    push_image(disk_front, "a", "v1", LAYER)
    disk_front.kept.write(DIGEST, DAMAGE["short"])
    disk_front.run(disk_front.kept.stores.rows.mode.begin_read_only(ReadOnlyMode("a move", 7.5)))
    with disk_front.unchanged():
        assert found(check(disk_front)) == [("short", str(DIGEST), False)]
        with pytest.raises(InReadOnlyMode):
            check(disk_front, repair=True)


def test_a_quick_check_reports_what_is_marked(disk_front):
    push_image(disk_front, "a", "v1", LAYER)
    disk_front.kept.write(DIGEST, DAMAGE["flipped"])
    check(disk_front, deep=True, repair=True)
    (finding,) = check(disk_front)
    assert (finding.kind, finding.to_do) == (Kind.DAMAGED, Remedy.PUSH_OR_REPAIR)
    (finding,) = check(disk_front, deep=True)
    assert (finding.kind, finding.to_do) == (Kind.FLIPPED, Remedy.PUSH)


@pytest.mark.parametrize("deep", [False, True])
def test_content_that_was_restored_from_a_backup_is_found_whole(disk_front, deep):
    push_image(disk_front, "a", "v1", LAYER)
    disk_front.kept.write(DIGEST, DAMAGE["short"])
    check(disk_front, deep=True, repair=True)
    disk_front.kept.write(DIGEST, LAYER)
    assert found(check(disk_front, deep=deep)) == [("damaged", str(DIGEST), False)]
    assert found(check(disk_front, deep=deep, repair=True)) == [("damaged", str(DIGEST), True)]
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(disk_front, deep=True) == []


@pytest.mark.parametrize("kind", [kind for kind, data in DAMAGE.items() if data is not None])
def test_damage_of_deleted_content_is_repaired_by_marking_it(disk_front, kind):
    disk_front.push_blob("a", LAYER)
    disk_front.delete(f"/v2/a/blobs/{DIGEST}")
    disk_front.kept.write(DIGEST, DAMAGE[kind])
    (finding,) = check(disk_front, deep=True)
    assert finding.to_do is Remedy.REPAIR
    assert found(check(disk_front, deep=True, repair=True)) == [(kind, str(DIGEST), True)]
    assert check(disk_front, deep=True) == []


@pytest.mark.parametrize("repair", [False, True])
def test_deleted_content_may_be_missing(disk_front, repair):
    push_image(disk_front, "a", "v1", b"another")
    disk_front.push_blob("a", LAYER)
    disk_front.delete(f"/v2/a/blobs/{DIGEST}")
    disk_front.kept.write(DIGEST, None)
    with disk_front.unchanged():
        assert check(disk_front, deep=True, repair=repair) == []
    disk_front.push_blob("a", LAYER)
    assert check(disk_front, deep=True) == []
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER


@pytest.mark.parametrize("repair", [False, True])
def test_collectors_do_not_wait_while_uses_are_looked_up(disk_front, file, monkeypatch, repair):
    disk_front.kept.write(DIGEST, DAMAGE["short"])
    rows, garbage = disk_front.kept.inspection.rows, disk_front.kept.stores.rows.garbage
    uses, looks = rows.uses, []

    async def look(digest, limit):
        async with asyncio.timeout(5), garbage.collecting():
            looks.append(digest)
        return await uses(digest, limit)

    monkeypatch.setattr(rows, "uses", look)
    assert found(check(disk_front, repair=repair)) == [("short", str(DIGEST), False)]
    assert looks == [DIGEST]


@pytest.fixture
def file(disk_front):
    push_image(disk_front, "a", "v1", LAYER)
    return Path(disk_front.kept.layout.blob(DIGEST))


def test_a_row_with_a_wrong_size_is_repaired_and_the_bytes_are_unchanged(disk_front, file):
    execute(disk_front, "UPDATE contents SET size = 5 WHERE digest = ?", str(DIGEST))
    (finding,) = check(disk_front, deep=True)
    assert finding.whole
    assert found(check(disk_front, repair=True)) == [("long", str(DIGEST), True)]
    assert check(disk_front, deep=True) == []
    assert file.read_bytes() == LAYER


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_a_push_heals_what_is_not_a_file(disk_front, file, make):
    file.unlink()
    make(file)
    is_directory = file.is_dir()
    (finding,) = check(disk_front, repair=True)
    assert (finding.kind, finding.done) == (Kind.NOT_A_FILE, Repair.MARKED)
    assert (finding.moved_to == f"quarantine/{DIGEST}.1") is is_directory
    disk_front.push_blob("a", LAYER)
    assert file.read_bytes() == LAYER
    assert Path("/etc/passwd").exists()
    assert check(disk_front, deep=True) == []


def test_a_mode_without_reading_is_found_and_repaired(disk_front, file):
    file.chmod(0)
    assert found(check(disk_front)) == [("unreadable", str(DIGEST), False)]
    assert found(check(disk_front, repair=True)) == [("unreadable", str(DIGEST), True)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert check(disk_front, deep=True) == []


def test_a_writable_mode_is_a_remark(disk_front, file):
    file.chmod(0o644)
    (finding,) = check(disk_front)
    assert (finding.kind, finding.remark) == (Kind.MODE, True)
    check(disk_front, repair=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


def test_bytes_that_a_push_replaces_meanwhile_are_compared_again(disk_front, file, monkeypatch):
    disk_front.kept.write(DIGEST, DAMAGE["flipped"])
    rows = disk_front.kept.inspection.rows
    find_content = rows.find_content

    async def push_before(digest):
        if file.read_bytes() != LAYER:
            disk_front.kept.write(digest, LAYER)
        return await find_content(digest)

    monkeypatch.setattr(rows, "find_content", push_before)
    assert check(disk_front, deep=True, repair=True) == []
    assert file.read_bytes() == LAYER


def test_bytes_that_a_push_replaced_before_they_were_marked_are_made_whole(disk_front, file, monkeypatch):
    disk_front.kept.write(DIGEST, DAMAGE["flipped"])
    contents = disk_front.kept.inspection.stores.contents
    mark_damaged = contents.mark_damaged

    async def push_before(record):
        disk_front.kept.write(record.digest, LAYER)
        return await mark_damaged(record)

    monkeypatch.setattr(contents, "mark_damaged", push_before)
    (finding,) = check(disk_front, deep=True, repair=True)
    assert finding.done is Repair.MADE_WHOLE
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER


@pytest.mark.parametrize("sql", ["DELETE FROM contents WHERE digest = ?", "UPDATE contents SET state = 'condemned'"])
def test_content_that_is_removed_meanwhile_is_not_a_finding(disk_front, file, monkeypatch, sql):
    disk_front.kept.write(DIGEST, None)
    rows = disk_front.kept.inspection.rows
    find_content = rows.find_content

    async def removed_before(digest):
        execute(disk_front, sql, *[str(digest)] * sql.count("?"))
        return await find_content(digest)

    monkeypatch.setattr(rows, "find_content", removed_before)
    assert check(disk_front) == []


def test_names_are_listed_within_a_bound(disk_front):
    disk_front.push_blob("a", LAYER)
    for number in range(MAX_LISTED + 5):
        disk_front.post(f"/v2/r{number:02}/blobs/uploads/?mount={DIGEST}&from=a")
    disk_front.kept.write(DIGEST, None)
    (finding,) = check(disk_front)
    assert len(finding.repositories) == MAX_LISTED


WHOLE, DAMAGED = ContentState.WHOLE, ContentState.DAMAGED
OTHER = digest_of(b"other bytes")


@pytest.mark.parametrize(
    ("state", "seen", "actual", "kind"),
    [
        (WHOLE, None, None, Kind.MISSING),
        (WHOLE, stored(flaw=Flaw.NOT_A_FILE), None, Kind.NOT_A_FILE),
        (WHOLE, stored(size=26), None, Kind.SHORT),
        (WHOLE, stored(size=28), None, Kind.LONG),
        (WHOLE, stored(flaw=Flaw.UNREADABLE), None, Kind.UNREADABLE),
        (WHOLE, stored(), OTHER, Kind.FLIPPED),
        (WHOLE, stored(flaw=Flaw.WRITABLE), DIGEST, Kind.MODE),
        (WHOLE, stored(), DIGEST, None),
        (WHOLE, stored(), None, None),
        (DAMAGED, None, None, Kind.MISSING),
        (DAMAGED, stored(), OTHER, Kind.FLIPPED),
        (DAMAGED, stored(flaw=Flaw.WRITABLE), DIGEST, Kind.DAMAGED),
    ],
)
def test_a_comparison_shows_what_is_wrong(state, seen, actual, kind):
    suspicion = compare(ContentRow(ContentRecord(DIGEST, len(LAYER)), state), seen, actual)
    assert (suspicion and suspicion.kind) == kind
    assert suspicion is None or suspicion.sound is (actual == DIGEST and kind is Kind.DAMAGED)


def test_prefixes_cover_every_digest_once():
    for algorithm in ("sha256", "sha512"):
        digest = str(digest_of(encode(image()), algorithm))
        assert sum(digest.startswith(prefix) for prefix in prefixes()) == 1
    assert len(prefixes()) == len(set(prefixes())) == 512
