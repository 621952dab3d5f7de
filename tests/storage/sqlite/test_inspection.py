"""The rows of one database for a check; what it promises stands in the contracts."""

from pathlib import Path

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.inspection import Defect, RowDefect
from simple_registry.storage.sqlite import inspection as module
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from storage.support import REPOSITORY, blob_of, run


@pytest.fixture
def rows(path, clock):
    rows = SqliteRowInspection(path, clock)
    yield rows
    run(rows.close())


def test_the_questions_of_each_content_use_indexes(path, assert_indexed):
    assert_indexed(module._CONTENTS, module._CONTENT, module._LACKING)


def test_a_damaged_page_is_told_of(store, path, clock):
    for number in range(2000):
        run(store.blobs.add_blob(REPOSITORY, blob_of(str(number).encode()), removals=0))
    run(store.close())
    with Path(path).open("r+b") as file:
        file.seek(4096 * 60 + 8)
        file.write(b"\xff" * 64)
    rows = SqliteRowInspection(path, clock)
    assert run(rows.check_database(thorough=False))
    assert run(rows.check_database(thorough=True))
    run(rows.close())


def test_rows_that_hold_no_digest_are_left_to_their_defect(rows, look):
    look("INSERT INTO contents (digest, size) VALUES ('sha256:abc', 1)")
    look("""
        INSERT INTO upload_sessions (session, repository, identity, algorithm, received, received_digest, touched)
        VALUES ('s', 'a', 'ada', 'sha256', 1, 'sha256:abc', 1)
    """)
    assert rows.page_contents("sha256:ab", None, 5) == []
    assert run(rows.page_sessions("", 5)) == []
    found = run(rows.page_defects(Defect.MALFORMED, None, 5))
    assert [(each.repository, each.digest) for each in found] == [
        ("contents", "sha256:abc"),
        ("upload_sessions", "sha256:abc"),
    ]


def test_a_defect_that_stands_no_more_is_not_mended(rows, store):
    blob = blob_of(b"held")
    run(store.blobs.add_blob(REPOSITORY, blob, removals=0))
    for defect in (Defect.UNHELD_AS_HELD, Defect.HELD_AS_UNHELD, Defect.PARTS_WITHOUT_MANIFEST):
        assert not run(rows.mend(RowDefect(defect, REPOSITORY, str(blob.digest), "", ())))
    assert run(store.blobs.find_blob(REPOSITORY, blob.digest)).content == blob


def test_a_manifest_is_restored_only_where_its_tag_stands(rows, store):
    from storage.support import manifest_of

    tagged = RowDefect(Defect.TAG_WITHOUT_MANIFEST, REPOSITORY, str(digest_of(b"m")), "v1", ())
    assert not run(rows.restore_manifest(tagged, manifest_of(b"m"), present=lambda: True))
    assert run(store.manifests.find_manifest(REPOSITORY, digest_of(b"m"))) is None
