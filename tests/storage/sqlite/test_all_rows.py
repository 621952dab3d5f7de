"""All rows of one database; the contracts cover each kind."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from storage.support import OTHER, REPOSITORY, blob_of, run
from support.actors import ACTOR

BLOB = blob_of(b"blob")


def test_another_process_sees_what_was_committed(path, store, clock):
    other = rows_of(Database(path), clock)
    run(store.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))
    assert run(other.blobs.find_blob(REPOSITORY, BLOB.digest)).content == BLOB
    run(other.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, actor=ACTOR))
    assert run(store.blobs.find_blob(OTHER, BLOB.digest)).content == BLOB
    run(other.close())


def test_committed_rows_exist_after_reopening(path, clock):
    store = rows_of(Database(path), clock)
    run(store.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))
    run(store.close())
    again = rows_of(Database(path), clock)
    assert run(again.blobs.find_blob(REPOSITORY, BLOB.digest)).content == BLOB
    run(again.close())


def test_a_closed_store_is_not_ready(path, clock):
    store = rows_of(Database(path), clock)
    store.check()
    run(store.close())
    with pytest.raises(StorageFault):
        store.check()
