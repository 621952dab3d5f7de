"""Upload sessions without bytes, and bytes without a session."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from simple_registry.operations.fsck import uploads
from simple_registry.operations.fsck.uploads import UNTOUCHED
from support.checking import check


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(uploads, "FINISHING", 0.0)


@pytest.fixture
def session(disk_front):
    """The place of a session of which ten bytes were acknowledged."""
    location = disk_front.open_session("a")
    assert disk_front.patch(location, body=b"0123456789").status == 202
    return Path(disk_front.kept.layout.uploads) / location.partition("?")[0].rpartition("/")[2]


def test_a_session_with_its_bytes_is_well_though_more_may_be_there(disk_front, session):
    assert check(disk_front, repair=True) == []
    with session.open("ab") as file:
        file.write(b"not acknowledged")
    assert check(disk_front, repair=True) == []


def test_a_session_that_never_got_a_byte_is_well(front):
    front.open_session("a")
    assert check(front, repair=True) == []


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (Path.unlink, "lost-upload"),
        (lambda path: shutil.rmtree(path.parent), "lost-upload"),
        (lambda path: path.write_bytes(b"012"), "cut-upload"),
    ],
)
def test_a_session_without_its_bytes_is_found_and_ended(disk_front, session, damage, kind):
    damage(session)
    with disk_front.unchanged():
        (finding,) = check(disk_front)
    assert (finding.kind, finding.repository, finding.remark) == (kind, "a", kind == "lost-upload")
    assert finding.place == f"uploads/{session.name}"
    (finding,) = check(disk_front, repair=True)
    assert finding.repaired
    assert not session.exists()
    assert disk_front.get(f"/v2/a/blobs/uploads/{session.name}").status == 404
    assert check(disk_front) == []


def test_a_session_without_its_bytes_is_cut_when_another_one_has_them(disk_front, session):
    disk_front.patch(disk_front.open_session("b"), body=b"other")
    session.unlink()
    (finding,) = check(disk_front)
    assert (finding.kind, finding.remark) == ("cut-upload", False)


def test_a_session_whose_bytes_became_content_is_over_not_cut(disk_front, session):
    digest = disk_front.push_blob("other", b"0123456789")
    session.unlink()
    assert disk_front.kept.files.look(disk_front.kept.files.place(digest)) is not None
    assert check(disk_front) == []


def test_bytes_without_a_session_are_found_once_nobody_can_be_at_work(disk_front, clock):
    path = Path(disk_front.kept.layout.uploads) / "put-1"
    path.write_bytes(b"a manifest")
    clock.seconds = path.stat().st_ctime + UNTOUCHED / 2
    assert check(disk_front, repair=True) == []
    clock.advance(UNTOUCHED)
    assert [finding.kind for finding in check(disk_front)] == ["leftover"]
    (finding,) = check(disk_front, repair=True)
    assert finding.repaired
    assert (Path(disk_front.kept.layout.root) / "quarantine" / "put-1.1").read_bytes() == b"a manifest"
    assert check(disk_front) == []


def test_bytes_that_somebody_writes_to_are_no_leftover(disk_front):
    path = Path(disk_front.kept.layout.uploads) / "in-one-request"
    path.write_bytes(b"so far")
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert check(disk_front, repair=True) == []
    os.close(fd)
    assert [finding.kind for finding in check(disk_front)] == ["leftover"]
