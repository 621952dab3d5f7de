"""The rows of one database, inspected and repaired."""

from pathlib import Path

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.inspection import ContentRow, Defect, RowDefect, Uses
from simple_registry.storage.life import ContentState
from simple_registry.storage.records import ContentRecord, Place
from simple_registry.storage.sqlite import inspection as module
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from storage.support import manifest_of, run

DIGESTS = sorted(digest_of(str(number).encode()) for number in range(5))
DIGEST = DIGESTS[0]
RECORD = ContentRecord(DIGEST, 7, Place("place"))
MANIFEST = manifest_of(b"manifest", children=(DIGEST,))
TAGGED = RowDefect(Defect.TAG_WITHOUT_MANIFEST, "a", str(MANIFEST.digest), "v1", ())


@pytest.fixture
def rows(path, clock):
    database = Database(path)
    yield SqliteRowInspection(database, clock)
    run(database.close())


@pytest.fixture
def add(look):
    """Return functions that write rows without any check."""
    look("PRAGMA foreign_keys = OFF")

    class Add:
        @staticmethod
        def content(digest, size=7, place="place", state="whole"):
            look(
                "INSERT INTO contents (digest, size, place, state) VALUES (?, ?, ?, ?)", str(digest), size, place, state
            )

        @staticmethod
        def blob(repository, digest, state="needed"):
            look("INSERT INTO repository_blobs VALUES (?, ?, ?, 0, 0, '', 0)", repository, str(digest), state)

        @staticmethod
        def manifest(repository, digest, *children, tags=()):
            look("INSERT INTO repositories VALUES (?) ON CONFLICT DO NOTHING", repository)
            columns = "repository, digest, media_type, annotations"
            look(f"INSERT INTO manifests ({columns}) VALUES (?, ?, 't', '{{}}')", repository, str(digest))
            for position, child in enumerate(children):
                look("INSERT INTO manifest_children VALUES (?, ?, ?, ?)", repository, str(digest), position, str(child))
            for tag in tags:
                look("INSERT INTO tags (repository, tag, digest) VALUES (?, ?, ?)", repository, tag, str(digest))

    return Add


def state(look, digest=DIGEST):
    return [state for (state,) in look("SELECT state FROM contents WHERE digest = ?", str(digest))]


def test_the_questions_of_each_content_use_indexes(path, assert_indexed):
    assert_indexed(module._CONTENTS, module._CONTENT, module._LACKING)


def test_the_manifests_above_content_are_found_by_one_search_each(plan):
    steps = plan(module._TAGS)
    assert [step for step in steps if step.startswith(("SCAN", "SEARCH part"))] == [
        "SCAN CONSTANT ROW",
        "SCAN needing",
        "SEARCH part USING COVERING INDEX manifest_children_needing (repository=? AND child=?)",
        *[step for step in steps if step == "SCAN needing"][1:],
    ]


def test_a_damaged_page_is_reported(path, clock, look):
    look("""
        WITH RECURSIVE number (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 5000)
        INSERT INTO repositories SELECT printf('%0200d', value) FROM number
    """)
    look("PRAGMA wal_checkpoint(TRUNCATE)")
    with Path(path).open("r+b") as file:
        file.seek(4096 * 60 + 8)
        file.write(b"\xff" * 64)
    database = Database(path)
    rows = SqliteRowInspection(database, clock)
    assert run(rows.check_database(thorough=False))
    assert run(rows.check_database(thorough=True))
    run(database.close())


def test_a_sound_database_is_empty_until_it_has_rows(rows, add, look):
    assert run(rows.check_database(thorough=True)) == []
    assert run(rows.is_empty())
    look("INSERT INTO repositories VALUES ('a')")
    assert not run(rows.is_empty())
    assert run(rows.totals()) == (0, 0)
    add.content(DIGEST)
    add.content(DIGESTS[1], size=5)
    assert run(rows.totals()) == (2, 12)


def test_rows_of_content_are_returned_in_pages(rows, add):
    same = sorted(digest for number in range(2000) if str(digest := digest_of(b"%d" % number))[7:9] == "ab")
    assert len(same) > 2
    for digest in same:
        add.content(digest)
    found, after = [], None
    while page := run(rows.page_contents("sha256:ab", after, 2)):
        found += page
        after = page[-1].record.digest
    expected = [ContentRow(ContentRecord(digest, 7, Place("place")), ContentState.WHOLE) for digest in same]
    assert found == expected
    assert run(rows.page_contents("sha256:ac", None, 10)) == []
    assert run(rows.find_content(same[0])) == expected[0]
    assert run(rows.find_content(digest_of(b"absent"))) is None


def test_uses_are_the_repositories_and_all_tags_above(rows, add):
    index, image, layer = DIGESTS[:3]
    for repository in ("a", "b"):
        add.blob(repository, layer)
    add.blob("c", layer, state="deleted")
    add.manifest("a", image, layer)
    add.manifest("a", index, image, tags=("v1", "v2"))
    assert run(rows.uses(layer, 10)) == Uses(("a", "b"), ("a:v1", "a:v2"), part=True)
    assert run(rows.uses(layer, 1)) == Uses(("a",), ("a:v1",), part=True)
    assert run(rows.uses(index, 1)) == Uses(("a",), ("a:v1",), part=False)
    assert run(rows.uses(digest_of(b"absent"), 1)) == Uses((), (), part=False)


def test_texts_that_are_not_digests_are_left_to_their_defect(rows, look):
    look("INSERT INTO contents (digest, size) VALUES ('sha256:abc', 1)")
    assert run(rows.page_contents("sha256:ab", None, 5)) == []
    (found,) = run(rows.page_defects(Defect.MALFORMED, None, 5))
    assert (found.repository, found.digest) == ("contents", "sha256:abc")


@pytest.mark.parametrize("before", [None, "whole", "damaged"])
def test_held_content_is_made_whole(rows, add, before):
    add.blob("a", DIGEST)
    if before:
        add.content(DIGEST, size=1, state=before)
    assert run(rows.make_whole(RECORD))
    assert run(rows.find_content(DIGEST)) == ContentRow(ContentRecord(DIGEST, 7, Place("place")), ContentState.WHOLE)


def test_content_that_is_unheld_or_condemned_is_not_made_whole(rows, add, look):
    assert not run(rows.make_whole(RECORD))
    assert state(look) == []
    add.blob("a", DIGEST)
    add.content(DIGEST, state="condemned")
    assert not run(rows.make_whole(RECORD))
    assert state(look) == ["condemned"]


def test_content_without_a_row_is_condemned(rows, add, look):
    assert run(rows.condemn(RECORD))
    assert state(look) == ["condemned"]
    assert not run(rows.condemn(RECORD))
    add.blob("a", DIGESTS[1])
    assert not run(rows.condemn(ContentRecord(DIGESTS[1], 7)))
    assert state(look, DIGESTS[1]) == []


@pytest.mark.parametrize("before", [None, "whole", "condemned"])
def test_a_manifest_is_restored_where_its_tag_lacks_it(rows, add, look, before):
    look("INSERT INTO repositories VALUES ('a')")
    look("INSERT INTO tags (repository, tag, digest) VALUES ('a', 'v1', ?)", str(MANIFEST.digest))
    if before:
        add.content(MANIFEST.digest, place="", state=before)
    assert run(rows.restore_manifest(TAGGED, MANIFEST, MANIFEST.stored.content))
    assert state(look, MANIFEST.digest) == ["whole"]
    assert look("SELECT repository, digest, state FROM manifests") == [("a", str(MANIFEST.digest), "needed")]
    assert not run(rows.restore_manifest(TAGGED, MANIFEST, MANIFEST.stored.content))


def test_a_manifest_without_a_tag_is_not_restored(rows, look):
    assert not run(rows.restore_manifest(TAGGED, MANIFEST, MANIFEST.stored.content))
    assert look("SELECT * FROM manifests") == []


def test_a_defect_that_is_gone_is_not_repaired(rows, add, look):
    add.content(DIGEST)
    add.blob("a", DIGEST, state="unneeded")
    before = look("SELECT * FROM contents"), look("SELECT * FROM repository_blobs")
    for defect in set(Defect) - {Defect.HOLDING_WITHOUT_REPOSITORY}:
        assert not run(rows.repair(RowDefect(defect, "a", str(DIGEST), "", ())))
    assert (look("SELECT * FROM contents"), look("SELECT * FROM repository_blobs")) == before
