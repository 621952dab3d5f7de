"""Upload sessions without bytes, and bytes without a session."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from simple_registry.operations.fsck.uploads import UNTOUCHED
from support.checking import check, findings_of


@pytest.fixture
def session(disk_front):
    """The place of a session of which ten bytes were acknowledged."""
    location = disk_front.open_session("a")
    assert disk_front.patch(location, body=b"0123456789").status == 202
    return Path(disk_front.kept.layout.uploads) / location.partition("?")[0].rpartition("/")[2]


def test_a_session_with_its_bytes_is_sound_though_there_may_be_more(disk_front, session):
    assert check(disk_front, repair=True) == []
    with session.open("ab") as file:
        file.write(b"not acknowledged")
    assert check(disk_front, repair=True) == []


def test_a_session_without_any_byte_is_sound(disk_front):
    disk_front.open_session("a")
    assert check(disk_front, repair=True) == []


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
    assert finding.path == f"uploads/{session.name}"
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


def test_a_check_of_a_backup_adds_no_file(disk_front, session):
    session.unlink()
    lock = Path(disk_front.kept.layout.root) / "uploads.lock"
    lock.unlink()
    assert [finding.kind for finding in check(disk_front, deep=True)] == ["lost-upload"]
    assert not lock.exists()


def test_a_session_that_a_request_holds_is_left_to_it(disk_front, session):
    disk_front.patch(disk_front.open_session("b"), body=b"other")
    session.unlink()

    async def checked_while_held():
        async with disk_front.kept.stores.rows.sessions.hold(session.name):
            return await findings_of(disk_front, repair=True)

    assert disk_front.run(checked_while_held()) == []
    assert [finding.kind for finding in check(disk_front)] == ["cut-upload"]


def test_bytes_without_a_session_are_found_once_no_request_can_be_at_work(disk_front, clock):
    path = Path(disk_front.kept.layout.uploads) / "put-1"
    path.write_bytes(b"a manifest")
    clock.seconds = path.stat().st_mtime + UNTOUCHED / 2
    assert check(disk_front, repair=True) == []
    clock.advance(UNTOUCHED)
    assert [finding.kind for finding in check(disk_front)] == ["leftover"]
    (finding,) = check(disk_front, repair=True)
    assert finding.repaired
    assert not path.exists()
    assert check(disk_front) == []


def test_bytes_that_are_being_written_are_not_a_leftover(disk_front, clock):
    path = Path(disk_front.kept.layout.uploads) / "in-one-request"
    path.write_bytes(b"so far")
    clock.seconds = path.stat().st_mtime + 2 * UNTOUCHED
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert check(disk_front, repair=True) == []
    os.close(fd)
    assert [finding.kind for finding in check(disk_front)] == ["leftover"]
