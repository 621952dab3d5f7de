"""The rows of a purge: all holdings, tags and events of one content, in one repository or in all."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import Tag
from simple_registry.storage.purging import NeededBy, PurgedFrom, RowsPurged
from simple_registry.storage.records import Place
from simple_registry.storage.sqlite.defects import Defect
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from simple_registry.storage.sqlite.rows.purge import SqlitePurgeRows
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, run
from support.actors import ACTOR

LAYER = blob_of(b"layer")
IMAGE = manifest_of(b"image", children=(LAYER.digest,))
V1 = Tag("v1")


@pytest.fixture
def database(path):
    database = Database(path)
    yield database
    run(database.close())


@pytest.fixture
def purge(database, clock):
    rows = SqlitePurgeRows(database, clock)

    def call(digest, repository=REPOSITORY, *, force=False):
        return run(rows.purge(digest, repository, force=force, actor=ACTOR))

    return call


@pytest.fixture
def sound(database, clock):
    """Return a function that returns the defects of the rows."""
    inspection = SqliteRowInspection(database, clock)

    def find():
        return [found for kind in Defect for found in run(inspection.page_defects(kind, None, 9))]

    return find


@pytest.fixture
def rows(store):
    """Two repositories with an image of one layer."""
    for repository in (REPOSITORY, OTHER):
        run(store.blobs.add_blob(repository, LAYER, removals=0, actor=ACTOR))
        run(
            store.manifests.put_manifest(
                repository, IMAGE, place=Place(""), removals=0, tags=[V1], parts=(), actor=ACTOR
            )
        )
    return store


def condemned(rows):
    return [record.digest for record in run(rows.garbage.page_condemned(None, 9))]


def test_content_is_condemned_with_its_last_repository(rows, purge, sound):
    assert purge(IMAGE.digest) == RowsPurged((PurgedFrom(REPOSITORY, (V1,)),), (OTHER,))
    assert condemned(rows) == []
    assert purge(IMAGE.digest, OTHER) == RowsPurged((PurgedFrom(OTHER, (V1,)),), ())
    assert condemned(rows) == [IMAGE.digest]
    assert sound() == []


def test_all_repositories_are_purged_or_none(rows, purge, sound, look):
    before = look("SELECT * FROM journal")
    run(rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=[V1], actor=ACTOR))
    assert purge(LAYER.digest, None) == NeededBy(OTHER, IMAGE.digest)
    assert run(rows.blobs.find_blob(REPOSITORY, LAYER.digest)) is not None
    purged = purge(LAYER.digest, None, force=True)
    assert purged == RowsPurged((PurgedFrom(REPOSITORY, (), (IMAGE.digest,)), PurgedFrom(OTHER)), ())
    assert condemned(rows) == [LAYER.digest]
    assert [found.defect for found in sound()] == [Defect.PART_MISSING]
    assert look("SELECT * FROM journal WHERE id <= ?", len(before)) == before


def test_the_journal_forgets_what_the_repository_held_earlier(rows, purge, look):
    run(rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=[V1], actor=ACTOR))
    run(rows.garbage.end_holdings(9e9, 9))
    assert purge(IMAGE.digest) == RowsPurged((PurgedFrom(REPOSITORY),), (OTHER,))
    assert look("SELECT repository FROM journal WHERE ? IN (before, after)", str(IMAGE.digest)) == [(OTHER,)]
    assert look("SELECT action, before, after FROM journal WHERE action = 'content.purge'") == [
        ("content.purge", None, None)
    ]


def test_what_is_not_there_changes_nothing(rows, purge, look):
    before = look("SELECT * FROM journal"), look("SELECT * FROM contents"), look("SELECT * FROM counters")
    assert purge(digest_of(b"never"), None) == RowsPurged((), ())
    assert (look("SELECT * FROM journal"), look("SELECT * FROM contents"), look("SELECT * FROM counters")) == before


def test_a_file_that_lost_its_row_is_removed_too(rows, purge, look):
    run(rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=[V1], actor=ACTOR))
    look("DELETE FROM contents WHERE digest = ?", str(IMAGE.digest))
    purge(IMAGE.digest, None)
    assert condemned(rows) == [IMAGE.digest]
