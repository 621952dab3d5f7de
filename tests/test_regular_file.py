"""Only regular files are opened, and nothing waits for what is none."""

import os
from pathlib import Path

import pytest

from simple_registry.regular_file import open_regular


def test_a_regular_file_is_opened_also_behind_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(path)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(OSError, match="directory"):
            open_regular(path)
