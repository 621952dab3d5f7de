"""The sum of all rows; what each kind promises stands in the contracts."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.protocols import MetadataStore
from simple_registry.storage.sqlite.metadata_store import SqliteMetadataStore
from storage.support import OTHER, REPOSITORY, blob_of, run, yes

BLOB = blob_of(b"blob")


def test_another_process_sees_what_was_committed(path, store, clock):
    other: MetadataStore = SqliteMetadataStore(path, clock)
    run(store.add_blob(REPOSITORY, BLOB, present=yes))
    assert other.find_blob(REPOSITORY, BLOB.digest) == BLOB
    run(other.mount_blob(OTHER, BLOB.digest, REPOSITORY, present=lambda _blob: True))
    assert store.find_blob(OTHER, BLOB.digest) == BLOB
    run(other.close())


def test_what_was_committed_is_there_after_reopening(path, clock):
    store = SqliteMetadataStore(path, clock)
    run(store.add_blob(REPOSITORY, BLOB, present=yes))
    run(store.close())
    again = SqliteMetadataStore(path, clock)
    assert again.find_blob(REPOSITORY, BLOB.digest) == BLOB
    run(again.close())


def test_a_closed_store_is_not_ready(path, clock):
    store = SqliteMetadataStore(path, clock)
    store.check()
    run(store.close())
    with pytest.raises(StorageFault):
        store.check()
