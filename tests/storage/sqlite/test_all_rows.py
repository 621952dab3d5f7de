"""The sum of all rows; what each kind promises stands in the contracts."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from storage.support import OTHER, REPOSITORY, blob_of, run, yes

BLOB = blob_of(b"blob")


def test_another_process_sees_what_was_committed(path, store, clock):
    other = rows_of(Database(path), clock)
    run(store.blobs.add_blob(REPOSITORY, BLOB, present=yes))
    assert run(other.blobs.find_blob(REPOSITORY, BLOB.digest)) == BLOB
    run(other.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, present=lambda _blob: True))
    assert run(store.blobs.find_blob(OTHER, BLOB.digest)) == BLOB
    run(other.close())


def test_what_was_committed_is_there_after_reopening(path, clock):
    store = rows_of(Database(path), clock)
    run(store.blobs.add_blob(REPOSITORY, BLOB, present=yes))
    run(store.close())
    again = rows_of(Database(path), clock)
    assert run(again.blobs.find_blob(REPOSITORY, BLOB.digest)) == BLOB
    run(again.close())


def test_a_closed_store_is_not_ready(path, clock):
    store = rows_of(Database(path), clock)
    store.check()
    run(store.close())
    with pytest.raises(StorageFault):
        store.check()
