"""Only regular files are opened, without waiting, and a change shows in the stamp."""

import os
from pathlib import Path

import pytest

from simple_registry.files import FileStamp, exposure, is_directory, open_regular


def test_a_regular_file_is_opened_through_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"


def test_anything_but_a_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(path)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(OSError, match="directory"):
            open_regular(path)


def test_a_stamp_changes_with_the_file_and_with_its_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    os.utime(path, ns=(1, 1))
    first = FileStamp.of(path.stat())
    assert FileStamp.of(path.stat()) == first
    path.write_bytes(b"changed")
    assert FileStamp.of(path.stat()) != first
    (tmp_path / "other").write_bytes(b"content")
    os.utime(tmp_path / "other", ns=(1, 1))
    (tmp_path / "other").rename(path)
    assert FileStamp.of(path.stat()) != first


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_secret_file_that_every_user_may_read_gets_a_warning(tmp_path, mode, warned):
    file = tmp_path / "secret"
    file.write_text("x")
    file.chmod(mode)
    expected = (f"every user of this machine may read the password file {file}; use chmod o-r",)
    assert exposure(file, "the password file") == (expected if warned else ())


def test_an_absent_secret_file_gets_no_warning(tmp_path):
    assert exposure(tmp_path / "absent", "the password file") == ()


def test_a_name_that_is_too_long_is_that_of_no_directory(tmp_path):
    assert is_directory(tmp_path)
    assert not is_directory(tmp_path / "missing")
    assert not is_directory(tmp_path / ("a" * 300))
