"""Content that is missing or damaged is found, moved aside, and healed by the next push."""

import stat
from pathlib import Path

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.operations.fsck.contents import LISTED, beginnings, compare
from simple_registry.operations.fsck.findings import Kind, Repair
from simple_registry.storage.inspection import ContentRow, Look
from simple_registry.storage.life import ContentState
from support.checking import check, execute, told
from support.documents import encode, image, push_image

LAYER = b"a layer that somebody needs"
DIGEST = digest_of(LAYER)
DAMAGE = {
    "missing": None,
    "short": LAYER[:-1],
    "long": LAYER + b"x",
    "flipped": bytes([LAYER[0] ^ 1]) + LAYER[1:],
}


def look(**facts):
    facts = {"regular": True, "readable": True, "read_only": True, "size": 27, "changed": 0.0, "identity": ()} | facts
    return Look(**facts)


def test_a_sound_store_has_no_findings(front):
    push_image(front, "a/b", "v1", LAYER)
    with front.unchanged():
        assert check(front, deep=True, repair=True) == []


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_with_everybody_whom_it_affects(front, kind):
    manifest = push_image(front, "a/b", "v1", LAYER)
    front.push_manifest("a/b", "v2", manifest)
    push_image(front, "other", "x", LAYER)
    push_image(front, "unaffected", "y", b"another")
    front.kept.write(DIGEST, DAMAGE[kind])
    with front.unchanged():
        (finding,) = check(front, deep=True)
    assert (finding.kind, finding.digest) == (kind, str(DIGEST))
    assert finding.place == front.kept.files.place(DIGEST)
    assert finding.repositories == ("a/b", "other")
    assert finding.tags == ("a/b:v1", "a/b:v2", "other:x")
    assert not finding.repaired
    assert finding.done is Repair.NOTHING


def test_a_quick_check_sees_sizes_only(front):
    push_image(front, "a", "v1", LAYER)
    front.kept.write(DIGEST, DAMAGE["flipped"])
    assert check(front) == []
    front.kept.write(DIGEST, DAMAGE["short"])
    assert told(check(front)) == [("short", str(DIGEST), False)]


@pytest.mark.parametrize("kind", DAMAGE)
def test_repair_moves_damage_aside_and_a_push_heals_it(front, kind):
    push_image(front, "a", "v1", LAYER)
    front.kept.write(DIGEST, DAMAGE[kind])
    (finding,) = check(front, deep=True, repair=True)
    assert (finding.kind, finding.repaired) == (kind, False)
    assert (finding.moved_to is None) is (kind == "missing")
    assert front.head(f"/v2/a/blobs/{DIGEST}").status == 404
    assert told(check(front, deep=True, repair=True)) == [("missing", str(DIGEST), False)]
    front.push_blob("elsewhere", LAYER)
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(front, deep=True) == []


def test_the_quarantine_keeps_every_damaged_file(front):
    push_image(front, "a", "v1", LAYER)
    for data in (DAMAGE["short"], DAMAGE["flipped"]):
        front.kept.write(DIGEST, data)
        check(front, deep=True, repair=True)
    if front.kept.layout is None:
        assert set(front.kept.files.quarantine.values()) == {DAMAGE["short"], DAMAGE["flipped"]}
    else:
        kept = sorted(Path(front.kept.layout.quarantine).iterdir())
        assert [path.name for path in kept] == [f"{DIGEST}.1", f"{DIGEST}.2"]
        assert [path.read_bytes() for path in kept] == [DAMAGE["short"], DAMAGE["flipped"]]


@pytest.fixture
def file(disk_front):
    push_image(disk_front, "a", "v1", LAYER)
    return Path(disk_front.kept.layout.blob(DIGEST))


def test_a_row_with_a_wrong_size_is_corrected_and_the_file_left_alone(disk_front, file):
    execute(disk_front, "UPDATE contents SET size = 5 WHERE digest = ?", str(DIGEST))
    (finding,) = check(disk_front, deep=True)
    assert finding.whole
    assert told(check(disk_front, repair=True)) == [("long", str(DIGEST), True)]
    assert check(disk_front, deep=True) == []
    assert file.read_bytes() == LAYER


def test_content_that_was_found_damaged_and_is_whole_again_is_healed(disk_front, file):
    aside = file.with_suffix(".aside")
    file.rename(aside)
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").status == 404
    aside.rename(file)
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").status == 404
    assert [finding.whole for finding in check(disk_front, deep=True)] == [True]
    assert [finding.repaired for finding in check(disk_front, repair=True)] == [True]
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(disk_front, deep=True) == []


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_file_is_moved_aside(disk_front, file, make):
    file.unlink()
    make(file)
    (finding,) = check(disk_front, repair=True)
    assert finding.kind is Kind.NOT_A_FILE
    assert not file.is_symlink()
    assert not file.exists()
    assert Path("/etc/passwd").exists()
    disk_front.push_blob("a", LAYER)
    assert check(disk_front, deep=True) == []


def test_a_mode_that_lets_nobody_read_is_found_and_corrected(disk_front, file):
    file.chmod(0)
    assert told(check(disk_front)) == [("unreadable", str(DIGEST), False)]
    assert told(check(disk_front, repair=True)) == [("unreadable", str(DIGEST), True)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert check(disk_front, deep=True) == []


def test_a_mode_that_lets_somebody_write_is_a_remark(disk_front, file):
    file.chmod(0o644)
    (finding,) = check(disk_front)
    assert (finding.kind, finding.remark) == (Kind.MODE, True)
    check(disk_front, repair=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


def test_a_file_that_a_push_replaces_while_it_is_judged_is_judged_anew(disk_front, file, monkeypatch):
    disk_front.kept.write(DIGEST, DAMAGE["flipped"])
    files, pushes = disk_front.kept.files, iter([LAYER])
    settle = disk_front.kept.rows.settle

    async def push_before(digest, judge):
        if (data := next(pushes, None)) is not None:
            disk_front.kept.write(digest, data)
        return await settle(digest, judge)

    monkeypatch.setattr(disk_front.kept.rows, "settle", push_before)
    assert check(disk_front, deep=True, repair=True) == []
    assert files.look(files.place(DIGEST)).size == len(LAYER)


def test_content_that_goes_while_it_is_judged_is_no_finding(disk_front, file, monkeypatch):
    disk_front.kept.write(DIGEST, None)
    settle = disk_front.kept.rows.settle

    async def gone_before(digest, judge):
        execute(disk_front, "DELETE FROM contents WHERE digest = ?", str(digest))
        return await settle(digest, judge)

    monkeypatch.setattr(disk_front.kept.rows, "settle", gone_before)
    assert check(disk_front) == []


def test_names_are_listed_within_a_bound(front):
    front.push_blob("a", LAYER)
    for number in range(LISTED + 5):
        front.post(f"/v2/r{number:02}/blobs/uploads/?mount={DIGEST}&from=a")
    front.kept.write(DIGEST, None)
    (finding,) = check(front)
    assert len(finding.repositories) == LISTED


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (None, Kind.MISSING),
        (look(regular=False), Kind.NOT_A_FILE),
        (look(size=26), Kind.SHORT),
        (look(size=28), Kind.LONG),
        (look(readable=False), Kind.UNREADABLE),
        (look(read_only=False), Kind.MODE),
        (look(), None),
    ],
)
def test_a_look_tells_what_is_wrong(seen, kind):
    suspicion = compare(ContentRow(DIGEST, len(LAYER), ContentState.WHOLE), seen)
    assert (suspicion and suspicion.kind) == kind


def test_beginnings_cover_every_digest_once():
    for algorithm in ("sha256", "sha512"):
        digest = str(digest_of(encode(image()), algorithm))
        assert sum(digest.startswith(beginning) for beginning in beginnings()) == 1
    assert len(beginnings()) == len(set(beginnings())) == 512
