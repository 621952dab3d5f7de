"""Removal of bytes waits for backups, and a backup for a removal under way."""

import threading

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.removals import removing, without_removals


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "registry.db")


def test_nothing_is_removed_while_backups_are_made(path):
    with without_removals(path), without_removals(path), removing(path) as allowed:
        assert not allowed
    with removing(path) as allowed:
        assert allowed


def test_a_backup_waits_for_a_removal(path):
    began, backup = threading.Event(), threading.Event()

    def back_up():
        began.set()
        with without_removals(path):
            backup.set()

    with removing(path):
        thread = threading.Thread(target=back_up)
        thread.start()
        assert began.wait(5)
        assert not backup.wait(0.1)
    assert backup.wait(5)
    thread.join()


def test_a_lock_file_that_cannot_be_made_is_a_fault(tmp_path):
    with pytest.raises(StorageFault), without_removals(f"{tmp_path}/none/registry.db"):
        pass
