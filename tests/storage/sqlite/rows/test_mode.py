"""In read-only mode no process commits anything."""

import pytest

from simple_registry.faults import InReadOnlyMode
from simple_registry.storage.records import ReadOnlyMode
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from storage.support import REPOSITORY, blob_of, run
from support.actors import ACTOR

BLOB = blob_of(b"blob")


@pytest.fixture
def other(path, clock):
    """The rows, as another process sees them."""
    rows = rows_of(Database(path), clock)
    yield rows
    run(rows.close())


def test_every_process_refuses_changes_until_the_mode_ends(store, other, look):
    run(store.mode.begin_read_only(ReadOnlyMode("a move", 7.5)))
    before = look("PRAGMA data_version")
    for rows in (store, other):
        with pytest.raises(InReadOnlyMode, match="cannot write rows: read-only mode: a move"):
            run(rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))
        assert run(rows.blobs.find_blob(REPOSITORY, BLOB.digest)) is None
    assert look("PRAGMA data_version") == before
    assert run(other.mode.end_read_only())
    run(store.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))


def test_no_collector_begins(store):
    run(store.mode.begin_read_only(ReadOnlyMode("a move", 7.5)))

    async def collect():
        async with store.garbage.collecting():
            raise AssertionError("it began")

    with pytest.raises(InReadOnlyMode):
        run(collect())


def test_a_block_that_only_reads_keeps_collectors_away_in_read_only_mode(store):
    run(store.mode.begin_read_only(ReadOnlyMode("a move", 7.5)))

    async def read():
        async with store.garbage.collecting(only_reading=True):
            return True

    assert run(read())


def test_a_process_may_be_read_only_by_itself(path, clock, store):
    rows = rows_of(Database(path, read_only=True), clock)
    with pytest.raises(InReadOnlyMode, match=r"storage\.readOnly is set"):
        run(rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))
    with pytest.raises(InReadOnlyMode):
        run(rows.mode.end_read_only())
    run(rows.close())
    run(store.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))
