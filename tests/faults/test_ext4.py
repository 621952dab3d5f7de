"""A cut loses what was not synced, keeps what was, and the disk leaves nothing behind."""

import os
import subprocess

import pytest

from faults.ext4 import Ext4, NoDisk


@pytest.fixture
def disk(tmp_path):
    try:
        with Ext4(tmp_path, size=64 << 20) as disk:
            yield disk
    except NoDisk as error:
        pytest.skip(f"no disk can be mounted here: {error}")


def test_a_cut_loses_what_was_not_synced_and_keeps_what_was(disk):
    kept, lost = disk.path / "kept", disk.path / "lost"
    with kept.open("wb") as file:
        file.write(b"kept")
        file.flush()
        os.fsync(file.fileno())
    lost.write_bytes(b"lost")
    disk.cut()
    with pytest.raises(OSError, match="Input/output error"):
        (disk.path / "later").write_bytes(b"")
    disk.replug()
    assert kept.read_bytes() == b"kept"
    assert not lost.exists()


def test_nothing_is_left_of_a_disk_that_was_cut(tmp_path):
    try:
        with Ext4(tmp_path, size=64 << 20) as disk:
            disk.cut()
    except NoDisk as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    assert not os.path.ismount(disk.path)
    assert str(tmp_path) not in subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
